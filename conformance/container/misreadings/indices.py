"""Wrong indices of blocks: for each block of a part, in row-major order, the index taken for it."""

from collections.abc import Callable

import numpy as np

from ..decoding import Integers
from ..package import BLOCK, Part

Index = Callable[[Part], Integers]


def column_major(part: Part) -> Integers:
    """Count blocks column by column."""
    down, across = part.grid
    return np.arange(down * across).reshape(across, down).T.reshape(-1)


def rounded_down(part: Part) -> Integers:
    """Round the number of blocks across down."""
    down, across = part.grid
    index = np.arange(down)[:, None] * (part.cols // BLOCK) + np.arange(across)
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


def first(part: Part) -> Integers:
    """Take the first block for all."""
    return np.zeros(part.num_blocks, np.int64)
