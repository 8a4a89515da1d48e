"""Files of numpy's .npy format 1.0 that hold binary32 or binary64 values."""

from __future__ import annotations

import struct
from collections.abc import Iterable


def npy(shape: tuple[int, ...], bits: list[int]) -> bytes:
    """Return the .npy file of a binary32 array, given the bits of its values in row-major order."""
    return header("<f4", shape) + struct.pack(f"<{len(bits)}I", *bits)


def npy32(shape: tuple[int, ...], values: Iterable[float]) -> bytes:
    """Return the .npy file of a binary32 array, given values that binary32 holds exactly."""
    flat = list(values)
    data = struct.pack(f"<{len(flat)}f", *flat)
    if list(struct.unpack(f"<{len(flat)}f", data)) != flat:
        raise ValueError("not all values are binary32")
    return header("<f4", shape) + data


def npy64(shape: tuple[int, ...], values: Iterable[float]) -> bytes:
    """Return the .npy file of a binary64 array, given its values in row-major order."""
    flat = list(values)
    return header("<f8", shape) + struct.pack(f"<{len(flat)}d", *flat)


def header(descr: str, shape: tuple[int, ...]) -> bytes:
    """Return the header; the data after it begin on a multiple of 64."""
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text = text.ljust(-(-(len(text) + 11) // 64) * 64 - 11) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text
