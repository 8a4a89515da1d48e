"""Valid: the place of each code in a block, and the order of the blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vectors.kit.noise import noise
from vectors.kit.package import Package, assemble
from vectors.kit.registry import valid
from vectors.kit.tensor import Int4

if TYPE_CHECKING:
    from collections.abc import Callable


@valid("LLQ-PACK-2", "LLQ-PACK-3", "LLQ-PACK-4")
def worked_example() -> Package:
    """The worked example of chapter Packing: q = (r + 3c) mod 16, scale 0.5, zero_point -3."""
    weight = Int4("weight", (64, 64), lambda r, c: (r + 3 * c) % 16, lambda _i, _j: 0x3800, lambda _i, _j: -3)
    return assemble([weight], stem="worked-example")


def alone(code: int, row: int, column: int, shape: tuple[int, int]) -> Package:
    """Return a block that is zero except for one element."""
    weight = Int4(
        "weight",
        shape,
        code=lambda r, c: code if (r, c) == (row, column) else 0,
        zero_point=lambda _i, _j: 0,
    )
    return assemble([weight])


@valid("LLQ-PACK-3", "LLQ-PACK-4", cases={"1": 1, "2": 2, "4": 4, "8": 8})
def single_bit(code: int) -> Package:
    """Only element (0, 0) has a nonzero code, which is {}: each plane MUST hold two bits of it."""
    return alone(code, 0, 0, (1, 64))


@valid("LLQ-PACK-4", cases={"1": 1, "2": 2, "3": 3, "4": 4, "15": 15, "16": 16, "63": 63})
def single_column(column: int) -> Package:
    """Only column {} of one row has a nonzero code: byte e >> 2 of a plane MUST hold element e."""
    return alone(9, 0, column, (1, 64))


@valid("LLQ-PACK-2", "LLQ-PACK-4", cases={"1": 1, "2": 2, "63": 63})
def single_row(row: int) -> Package:
    """Only row {} of one column has a nonzero code: row r MUST begin at element 64 r."""
    return alone(6, row, 0, (64, 1))


@valid("LLQ-PACK-2", "LLQ-PACK-4", cases={"63 63": (63, 63)})
def single_element(place: tuple[int, int]) -> Package:
    """Only the element at row and column {} has a nonzero code: a block MUST be row-major."""
    return alone(6, *place, (64, 64))


PATTERNS = {
    "rise along the columns": ((2, 64), lambda _r, c: c % 16),
    "rise down the rows": ((64, 2), lambda r, _c: r % 16),
    "change every sixteen columns": ((1, 64), lambda _r, c: c // 16 + 4),
    "are without pattern": ((64, 64), lambda r, c: noise(5, 64 * r + c) & 15),
    "form a checkerboard of 5 and 10": ((5, 64), lambda r, c: 5 if (r + c) % 2 else 10),
    "are all 15": ((3, 64), lambda _r, _c: 15),
    "are all 3, the low plane alone": ((3, 64), lambda _r, _c: 3),
    "are all 12, the high plane alone": ((3, 64), lambda _r, _c: 12),
}


@valid("LLQ-PACK-2", "LLQ-PACK-3", "LLQ-PACK-4", cases=PATTERNS)
def codes(pattern: tuple[tuple[int, int], Callable[[int, int], int]]) -> Package:
    """The codes of a block {}."""
    shape, code = pattern
    return assemble([Int4("weight", shape, code, lambda _i, _j: 0x2E66, lambda _i, _j: 5)])


def grid(shape: tuple[int, int], *, symmetric: bool = False) -> Package:
    """Return a matrix without pattern, each of whose blocks has its own scale and zero point."""
    weight = Int4(
        "weight",
        shape,
        code=lambda r, c: noise(6, shape[1] * r + c) & 15,
        scale=lambda i, j: 0x2D00 + (0x41 * i + 0x205 * j) % 0x1000,
        zero_point=None if symmetric else lambda i, j: (5 * i + 3 * j) % 16 - 2,
    )
    return assemble([weight])


SHAPES = {
    f"{rows} x {cols}": (rows, cols)
    for rows, cols in [(1, 1), (1, 2), (3, 1), (1, 65), (65, 1), (63, 63), (65, 127), (130, 70)]
}


@valid("LLQ-PACK-6", "LLQ-PACK-5", "LLQ-REC-2", cases=SHAPES)
def edge(shape: tuple[int, int]) -> Package:
    """A matrix of {}, whose blocks extend past its edge: a reader MUST ignore the codes outside."""
    return grid(shape)


GRIDS = {"2 x 3": (66, 131), "3 x 2": (131, 66), "1 x 4": (2, 195), "4 x 1": (195, 2)}


@valid("LLQ-PACK-5", cases=GRIDS)
def blocks(shape: tuple[int, int]) -> Package:
    """A grid of {} blocks, each with its own scale and zero_point: indices MUST go by rows."""
    return grid(shape)


@valid("LLQ-PACK-5", "LLQ-DEQ-4", cases={"1 x 3": (2, 129), "3 x 1": (129, 3)})
def symmetric_blocks(shape: tuple[int, int]) -> Package:
    """A symmetric grid of {} blocks, each with its own scale; the record has no zero_point section."""
    return grid(shape, symmetric=True)


@valid("LLQ-PACK-5", "LLQ-REC-5")
def many_blocks() -> Package:
    """A row of 129 blocks, so that the scale section takes 512 bytes."""
    return grid((1, 129 * 64))
