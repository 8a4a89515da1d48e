"""How the bytes of a tensor become weights: seven steps. A misreading replaces one step by another.

codes, scales and zero_points give one entry per block of a part; weigh makes weights of them; assemble puts
the blocks into the part's matrix; raw reads a part that has no blocks; join makes one tensor of the parts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .package import BLOCK, Part, Tensor

Integers = NDArray[np.int64]
Reals = NDArray[np.float64]


def codes(part: Part) -> Integers:
    """Return the codes of all blocks, (n, 64, 64): two planes of two bits, low plane first."""
    elements = np.arange(BLOCK * BLOCK)
    byte, shift = elements >> 2, 2 * (elements & 3)
    low = (part.packed[:, byte] >> shift) & 3
    high = (part.packed[:, 1024 + byte] >> shift) & 3
    return (low + 4 * high).astype(np.int64).reshape(-1, BLOCK, BLOCK)


def scales(part: Part) -> Reals:
    """Return the scale of each block: binary16, little-endian."""
    return part.data[256 : 256 + 2 * part.num_blocks].view("<f2").astype(np.float64)


def zero_points(part: Part) -> Integers:
    """Return the zero_point of each block: i8, or 8 where there is no section."""
    if part.dtype == "int4_symmetric":
        return np.full(part.num_blocks, 8, np.int64)
    return part.data[part.zero_points_at :][: part.num_blocks].view(np.int8).astype(np.int64)


def weigh(q: Integers, scale: Reals, zero_point: Integers) -> Reals:
    """Return the weights of all blocks: scale · (q − zero_point)."""
    return scale[:, None, None] * (q - zero_point[:, None, None])


def assemble(part: Part, blocks: Reals) -> Reals:
    """Return the part's matrix: blocks row by row, cropped at the edges."""
    grid_rows, grid_cols = part.grid
    tiles = blocks.reshape(grid_rows, grid_cols, BLOCK, BLOCK)
    return tiles.swapaxes(1, 2).reshape(grid_rows * BLOCK, grid_cols * BLOCK)[: part.rows, : part.cols]


def raw(part: Part) -> Reals:
    """Return the matrix of a raw part: row-major, little-endian."""
    return raw_values(part, "<f2" if part.dtype == "f16" else "<f4").astype(np.float64)


def raw_values(part: Part, dtype: str) -> NDArray[np.generic]:
    """Return the values of a raw part, read as this numpy type, in the part's shape."""
    count = part.rows * part.cols
    return part.data[: count * np.dtype(dtype).itemsize].view(dtype).reshape(part.rows, part.cols)


def join(matrices: Sequence[Reals]) -> Reals:
    """Return the tensor: its parts in order."""
    return np.concatenate(matrices)


@dataclass(frozen=True)
class Reading:
    """One way to read a tensor. The defaults are the right one."""

    codes: Callable[[Part], Integers] = codes
    scales: Callable[[Part], Reals] = scales
    zero_points: Callable[[Part], Integers] = zero_points
    weigh: Callable[[Integers, Reals, Integers], Reals] = weigh
    assemble: Callable[[Part, Reals], Reals] = assemble
    raw: Callable[[Part], Reals] = raw
    join: Callable[[Sequence[Reals]], Reals] = join

    def matrix(self, part: Part) -> Reals:
        """Return the matrix of one part."""
        if not part.dtype.startswith("int4"):
            return self.raw(part)
        return self.assemble(part, self.weigh(self.codes(part), self.scales(part), self.zero_points(part)))

    def __call__(self, tensor: Tensor) -> NDArray[np.float32]:
        """Return the tensor's weights as this reading has them."""
        with np.errstate(all="ignore"):
            weights = self.join([self.matrix(part) for part in tensor.parts]).astype(np.float32)
        return weights.reshape(-1) if len(tensor.shape) == 1 else weights
