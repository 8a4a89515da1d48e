"""Matrices, their products with rounded inputs, and the error bounds of chapter Numerics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum
from operator import mul

from vectors.kit import binary16
from vectors.kit.tensor import Int4, Raw

U = 2.0**-24  # the unit roundoff of binary32
LEAST_NORMAL_16 = 2.0**-14


@dataclass(frozen=True)
class Block:
    """The part of a matrix row in one block: its scale, first column, and codes less zero_point."""

    scale: float
    first: int
    differences: list[int]

    def dot(self, q: Sequence[int]) -> int:
        """Return the exact integer of the block row with INT8 codes."""
        return sum(map(mul, self.differences, q[self.first : self.first + 64]))


@dataclass(frozen=True)
class Matrix:
    """A matrix by rows; `counted` is each element's share in the error bound of binary16 inputs."""

    weights: list[list[float]]
    counted: list[list[float]]
    blocks: list[list[Block]]

    def times16(self, a: Sequence[float]) -> list[float]:
        """Return the product with a vector; with binary16 inputs each product of two elements is exact."""
        return [fsum(map(mul, row, a)) for row in self.weights]

    def error_bound16(self, a: Sequence[float]) -> list[float]:
        """Return by how much each element of the product with binary16 inputs may be off."""
        magnitudes = list(map(abs, a))
        n = len(a)
        gamma = (n + 8) * U / (1 - (n + 8) * U)
        flushed = [value if value < LEAST_NORMAL_16 else 0.0 for value in magnitudes]
        result = [gamma * fsum(map(mul, row, magnitudes)) for row in self.counted]
        if any(flushed):
            extra = [
                fsum(abs(w) * value for w, value in zip(row, flushed, strict=True)) for row in self.weights
            ]
            result = [bound + term for bound, term in zip(result, extra, strict=True)]
        return result

    def times8(self, s: float, q: Sequence[int]) -> tuple[list[float], list[float]]:
        """Return the product with INT8 codes, and by how much each of its elements may be off."""
        terms = [[block.scale * block.dot(q) for block in row] for row in self.blocks]
        n = len(self.blocks[0])
        gamma = (2.0**-21 + (n + 4) * U) / (1 - (n + 4) * U)
        return [s * fsum(row) for row in terms], [gamma * s * fsum(map(abs, row)) for row in terms]


def matrix(tensor: Int4 | Raw) -> Matrix:
    """Return a tensor of two dimensions as a matrix."""
    rows, cols = tensor.shape
    if isinstance(tensor, Raw):
        flat = tensor.values()
        weights = [flat[r * cols : (r + 1) * cols] for r in range(rows)]
        return Matrix(weights, [[abs(w) for w in row] for row in weights], [])
    blocks, weights, counted = [], [], []
    for r in range(rows):
        row_blocks: list[Block] = []
        row_counted: list[float] = []
        for j in range(-(-cols // 64)):
            scale = float(binary16.value(tensor.scale(r // 64, j)))
            zero_point = 8 if tensor.zero_point is None else tensor.zero_point(r // 64, j)
            codes = [tensor.code(r, c) for c in range(64 * j, min(64 * j + 64, cols))]
            row_blocks.append(Block(scale, 64 * j, [code - zero_point for code in codes]))
            row_counted += [scale * (code + abs(zero_point)) for code in codes]
        blocks.append(row_blocks)
        counted.append(row_counted)
        weights.append([block.scale * difference for block in row_blocks for difference in block.differences])
    return Matrix(weights, counted, blocks)
