"""One block: 64 x 64 codes in two planes of 1024 bytes, written one element at a time (chapter Packing)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SIDE = 64
PLANE = 1024


def pack(code: Callable[[int, int], int]) -> bytes:
    """Return the 2048 bytes of the block whose code at row r and column c is code(r, c)."""
    packed = bytearray(2 * PLANE)
    for row in range(SIDE):
        for column in range(SIDE):
            q = code(row, column)
            if not 0 <= q <= 15:
                raise ValueError(f"{q} is not a code")
            element = SIDE * row + column
            byte, shift = element >> 2, 2 * (element & 3)
            packed[byte] |= (q & 3) << shift
            packed[PLANE + byte] |= (q >> 2) << shift
    return bytes(packed)
