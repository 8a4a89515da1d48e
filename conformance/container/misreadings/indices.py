"""Wrong indices of blocks: for each block of a part, in row-major order, the index taken for it."""

from collections.abc import Callable

import numpy as np

from ..decoding import Integers
from ..package import BLOCK, Part

Index = Callable[[Part], Integers]


def column_major(part: Part) -> Integers:
    """Count blocks column by column."""
    grid_rows, grid_cols = part.grid
    return np.arange(grid_rows * grid_cols).reshape(grid_cols, grid_rows).T.reshape(-1)


def rounded_down(part: Part) -> Integers:
    """Round the number of blocks across down."""
    grid_rows, grid_cols = part.grid
    index = np.arange(grid_rows)[:, None] * (part.cols // BLOCK) + np.arange(grid_cols)
    return index.reshape(-1)


def following(part: Part) -> Integers:
    """Take the next block, and the first for the last."""
    return np.arange(1, part.num_blocks + 1) % part.num_blocks


def following_clamped(part: Part) -> Integers:
    """Take the next block, and the last for itself."""
    return np.minimum(np.arange(1, part.num_blocks + 1), part.num_blocks - 1)


def preceding(part: Part) -> Integers:
    """Take the previous block, and the last for the first."""
    return np.arange(-1, part.num_blocks - 1) % part.num_blocks


def preceding_clamped(part: Part) -> Integers:
    """Take the previous block, and the first for itself."""
    return np.maximum(np.arange(-1, part.num_blocks - 1), 0)


def first_block(part: Part) -> Integers:
    """Take the first block for all."""
    return np.zeros(part.num_blocks, np.int64)
