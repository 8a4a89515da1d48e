"""Misreadings of the order of blocks: (`Part`, blocks) → the matrix of the part."""

from collections.abc import Callable

from ..decoding import Reals, assemble
from ..package import BLOCK, Part
from . import indices


def _at(index: indices.Index) -> Callable[[Part, Reals], Reals]:
    """Return a placement that takes block index(part)[b] for block b."""
    return lambda part, blocks: assemble(part, blocks[index(part)])


def _without_edges(part: Part, blocks: Reals) -> Reals:
    matrix = assemble(part, blocks).copy()
    matrix[part.rows // BLOCK * BLOCK :] = 0
    matrix[:, part.cols // BLOCK * BLOCK :] = 0
    return matrix


def _rounded_down_without_edges(part: Part, blocks: Reals) -> Reals:
    return _without_edges(part, blocks[indices.rounded_down(part)])


def _uncropped(part: Part, blocks: Reals) -> Reals:
    grid_rows, grid_cols = part.grid
    tiles = blocks.reshape(grid_rows, grid_cols, BLOCK, BLOCK)
    return tiles.swapaxes(1, 2).reshape(grid_rows * BLOCK, grid_cols * BLOCK)


def _narrow_edges(part: Part, blocks: Reals) -> Reals:
    """Read the last block of each block row as if its rows were only as long as the matrix needs."""
    grid_rows, grid_cols = part.grid
    start = BLOCK * (grid_cols - 1)
    width = part.cols - start
    matrix = assemble(part, blocks).copy()
    for i in range(grid_rows):
        height = min(BLOCK, part.rows - BLOCK * i)
        elements = blocks[(i + 1) * grid_cols - 1].reshape(-1)[: height * width]
        matrix[BLOCK * i : BLOCK * i + height, start:] = elements.reshape(height, width)
    return matrix


BLOCKS = (
    ("block grid column-major", "LLQ-PACK-5", _at(indices.column_major)),
    ("number of blocks across rounded down", "LLQ-PACK-5", _at(indices.rounded_down)),
    ("number of blocks across rounded down", "LLQ-PACK-5", _rounded_down_without_edges),
    ("edge blocks left zero", "LLQ-PACK-5", _without_edges),
    ("edge blocks not cropped to the matrix", "LLQ-PACK-6", _uncropped),
    ("edge blocks stored only as wide as the matrix", "LLQ-PACK-2", _narrow_edges),
)
