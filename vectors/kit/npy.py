"""Files of numpy's .npy format 1.0 that hold binary32 values."""

from __future__ import annotations

import struct


def npy(shape: tuple[int, ...], bits: list[int]) -> bytes:
    """Return the .npy file of an array, given the bits of its values in row-major order."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header = (
        header.ljust(-(-(len(header) + 11) // 64) * 64 - 11) + b"\n"
    )  # the data begin on a multiple of 64
    return (
        b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + struct.pack(f"<{len(bits)}I", *bits)
    )
