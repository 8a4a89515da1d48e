"""Tensors as vectors state them: formulas for codes, scales and zero points, or for raw values."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from math import prod
from typing import TYPE_CHECKING, Any

from vectors.kit import binary16, binary32, block

if TYPE_CHECKING:
    from collections.abc import Callable

ALIGNMENT = 256


def align(length: int) -> int:
    """Return the smallest multiple of 256 that is not below a length."""
    return -(-length // ALIGNMENT) * ALIGNMENT


def padded(data: bytes) -> bytes:
    """Return data followed by zeros up to a multiple of 256."""
    return data.ljust(align(len(data)), b"\0")


@cache
def weight(scale: int, zero_point: int, code: int) -> int:
    """Return the binary32 bits of scale * (code - zero_point)."""
    return binary32.exactly(binary16.value(scale) * Fraction(code - zero_point))


@dataclass(frozen=True)
class Int4:
    """An INT4 matrix; scale and zero_point are functions of the block (i, j), code of the element (r, c)."""

    name: str
    shape: tuple[int, int]
    code: Callable[[int, int], int]
    scale: Callable[[int, int], int] = lambda _i, _j: 0x3C00
    zero_point: Callable[[int, int], int] | None = lambda _i, _j: 8
    members: dict[str, Any] = field(default_factory=dict)
    unit = block.SIDE

    @property
    def dtype(self) -> str:
        """Return int4_affine, or int4_symmetric if there are no zero points."""
        return "int4_symmetric" if self.zero_point is None else "int4_affine"

    def blocks(self, num_rows: int) -> int:
        """Return the number of blocks of a number of rows."""
        return -(-num_rows // 64) * -(-self.shape[1] // 64)

    def length(self, num_rows: int) -> int:
        """Return the byte length of a record of a number of rows."""
        n = self.blocks(num_rows)
        zero_points = 0 if self.zero_point is None else align(n)
        return 256 + align(2 * n) + zero_points + 2048 * n

    def part(self, first_row: int, num_rows: int, offset: int) -> bytes:
        """Return the record of a run of rows that begins at an offset of its shard."""
        grid = [(i, j) for i in range(-(-num_rows // 64)) for j in range(-(-self.shape[1] // 64))]
        above = first_row // 64  # block rows of the matrix in earlier parts
        record = padded(struct.pack("<4I", 64, 64, len(grid), offset + 256))
        record += padded(b"".join(struct.pack("<H", self.scale(above + i, j)) for i, j in grid))
        if self.zero_point is not None:
            record += padded(b"".join(struct.pack("<b", self.zero_point(above + i, j)) for i, j in grid))
        return record + b"".join(self._block(first_row, num_rows, i, j) for i, j in grid)

    def _block(self, first_row: int, num_rows: int, i: int, j: int) -> bytes:
        def code(row: int, column: int) -> int:
            r, c = 64 * i + row, 64 * j + column
            return self.code(first_row + r, c) if r < num_rows and c < self.shape[1] else 0

        return block.pack(code)

    def weights(self) -> list[int]:
        """Return the binary32 bits of all weights, row by row."""
        zero_point = self.zero_point or (lambda _i, _j: 8)
        return [
            weight(self.scale(r // 64, c // 64), zero_point(r // 64, c // 64), self.code(r, c))
            for r in range(self.shape[0])
            for c in range(self.shape[1])
        ]


@dataclass(frozen=True)
class Raw:
    """A raw tensor; bits is a function of the index of a value in row-major order."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    bits: Callable[[int], int]
    members: dict[str, Any] = field(default_factory=dict)
    unit = 1

    @property
    def row(self) -> int:
        """Return the number of values in a row."""
        return prod(self.shape[1:])

    def length(self, num_rows: int) -> int:
        """Return the byte length of a part of a number of rows."""
        return align(num_rows * self.row * (2 if self.dtype == "f16" else 4))

    def part(self, first_row: int, num_rows: int, _offset: int) -> bytes:
        """Return the bytes of a run of rows."""
        letter = "<H" if self.dtype == "f16" else "<I"
        values = range(first_row * self.row, (first_row + num_rows) * self.row)
        return padded(b"".join(struct.pack(letter, self.bits(index)) for index in values))

    def weights(self) -> list[int]:
        """Return the binary32 bits of all values."""
        bits = [self.bits(index) for index in range(prod(self.shape))]
        return [binary32.widened(value) for value in bits] if self.dtype == "f16" else bits

    def values(self) -> list[float]:
        """Return all values."""
        bits = self.weights()
        return list(struct.unpack(f"<{len(bits)}f", struct.pack(f"<{len(bits)}I", *bits)))


Tensor = Int4 | Raw
