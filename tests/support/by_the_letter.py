"""The spec's formulas as plain loops over integers and fractions: what tests compare the library with.

Nothing here imports llq_format, and nothing is fast.
"""

import json
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

Tensor = tuple[str, str, tuple[int, ...]]
"""Name, dtype and shape."""


def ceil_div(a: int, b: int) -> int:
    """Return ceil(a / b), counted up."""
    quotient, remainder = divmod(a, b)
    return quotient + (remainder > 0)


def align(n: int) -> int:
    """Return 256 · ceil(n / 256)."""
    return 256 * ceil_div(n, 256)


def code(packed: Sequence[int], r: int, c: int) -> int:
    """Return the code at row r, column c of a block of 2048 bytes, as chapter Packing extracts it."""
    e = 64 * r + c
    byte, shift = e >> 2, 2 * (e & 3)
    low = (packed[byte] >> shift) & 3
    high = (packed[1024 + byte] >> shift) & 3
    return low + 4 * high


def binary16(bits: int) -> Fraction:
    """Return the value of a finite binary16."""
    sign = -1 if bits >> 15 else 1
    exponent, fraction = bits >> 10 & 31, bits & 1023
    if exponent == 0:
        return sign * Fraction(fraction, 1 << 24)
    return sign * (1024 + fraction) * Fraction(2) ** (exponent - 25)


def weight(scale_bits: int, zero_point: int, q: int) -> Fraction:
    """Return scale · (q − zero_point)."""
    return binary16(scale_bits) * (q - zero_point)


def binary32_bits(value: Fraction | float) -> int:
    """Return the bits of a value that binary32 holds exactly; zero is +0."""
    data = struct.pack("<f", float(value))
    if Fraction(struct.unpack("<f", data)[0]) != value:
        raise ValueError(f"{value} is not a binary32 value")
    return int.from_bytes(data, "little")


def part_length(dtype: str, rows: int, cols: int) -> int:
    """Return the length of a part, as chapter Shards and records gives it."""
    if dtype in ("f16", "f32"):
        return align(rows * cols * int(dtype[1:]) // 8)
    n = ceil_div(rows, 64) * ceil_div(cols, 64)
    zero_points = align(n) if dtype == "int4_affine" else 0
    return 256 + align(2 * n) + zero_points + 2048 * n


Placed = tuple[int, int, int, int, int]
"""Shard, offset, byte length, first row, rows."""


def place(tensors: Sequence[Tensor], shard_limit: int) -> tuple[list[list[Placed]], list[int]] | None:
    """Run the placement procedure of chapter Canonical encoding, line by line.

    Returns the parts of each tensor and the length of each shard, or None if a tensor cannot be stored.
    """
    parts: list[list[Placed]] = []
    lengths: list[int] = []
    position = 0
    for _name, dtype, shape in tensors:
        rows, cols = shape if len(shape) == 2 else (shape[0], 1)
        unit = 64 if dtype.startswith("int4") else 1
        parts.append([])
        if not lengths or (position > 256 and position + part_length(dtype, rows, cols) > shard_limit):
            lengths.append(256)
            position = 256
        first_row = 0
        while first_row < rows:
            if first_row > 0:
                lengths.append(256)
                position = 256
            remaining = rows - first_row
            candidates = [remaining, *range((remaining - 1) // unit * unit, 0, -unit)]
            n = next((n for n in candidates if position + part_length(dtype, n, cols) <= shard_limit), None)
            if n is None:
                return None
            length = part_length(dtype, n, cols)
            parts[-1].append((len(lengths) - 1, position, length, first_row, n))
            position += length
            first_row += n
            lengths[-1] = position
    return parts, lengths


def weights(package: Path, name: str) -> list[int]:
    """Return the binary32 bits of a tensor's elements, row by row, from the bytes of a package."""
    metadata: dict[str, Any] = json.loads((package / "metadata.json").read_bytes())
    entry = next(tensor for tensor in metadata["tensors"] if tensor["name"] == name)
    shape = entry["shape"]
    cols = shape[1] if len(shape) == 2 else 1
    bits: list[int] = []
    for part in entry["parts"]:
        shard = (package / metadata["shards"][part["shard"]]["file"]).read_bytes()
        data = shard[part["offset"] : part["offset"] + part["byte_length"]]
        if entry["dtype"].startswith("int4"):
            bits += _record(data, part["num_rows"], cols, affine=entry["dtype"] == "int4_affine")
        else:
            bits += _raw(data, part["num_rows"] * cols, entry["dtype"])
    return bits


def _raw(data: bytes, count: int, dtype: str) -> list[int]:
    letter = "e" if dtype == "f16" else "f"
    values = struct.unpack_from(f"<{count}{letter}", data)
    return [int.from_bytes(struct.pack("<f", value), "little") for value in values]


def _record(data: bytes, rows: int, cols: int, *, affine: bool) -> list[int]:
    across = ceil_div(cols, 64)
    n = ceil_div(rows, 64) * across
    zero_points = 256 + align(2 * n)
    packed = zero_points + (align(n) if affine else 0)
    blocks = []
    for b in range(n):
        (scale,) = struct.unpack_from("<H", data, 256 + 2 * b)
        zero_point = struct.unpack_from("<b", data, zero_points + b)[0] if affine else 8
        meaning = [binary32_bits(weight(scale, zero_point, q)) for q in range(16)]
        blocks.append((meaning, data[packed + 2048 * b : packed + 2048 * (b + 1)]))
    bits = []
    for row in range(rows):
        for col in range(cols):
            meaning, planes = blocks[row // 64 * across + col // 64]
            bits.append(meaning[code(planes, row % 64, col % 64)])
    return bits
