"""Matrix products with rounded inputs (spec: Activations, Matmul)."""

from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from llq_format.format.dequantize import ZERO_POINT_SYMMETRIC
from llq_format.format.layout import BLOCK, block_grid
from llq_format.format.quantize import PackedTensor
from llq_format.reference.activations import Array, quantize_int8, round_binary16

Precision = Literal["int8", "binary16", "float"]
"""Roundings of a matmul's input; `float` does not round, for comparison with oracles."""


class Rounded(NamedTuple):
    """Vectors as they enter a product: values [tokens, cols], and the scales [tokens, 1] of INT8 codes."""

    values: Array
    scales: Array | None = None


class Matrix(Protocol):
    """A matrix [rows, cols] that multiplies vectors."""

    def rounded(self, x: Array) -> Rounded:
        """Round vectors [tokens, cols] as the matrix takes them."""

    def product(self, x: Rounded) -> Array:
        """Return the product with rounded vectors, float64 [tokens, rows]."""

    def __call__(self, x: Array) -> Array:
        """Return y = W x for each vector: float64 [tokens, cols] to float64 [tokens, rows]."""
        return self.product(self.rounded(x))


class FloatMatrix(Matrix):
    """Weights in binary64; inputs rounded to binary16, or not rounded."""

    def __init__(self, weights: NDArray[np.float32], precision: Literal["binary16", "float"]) -> None:
        """Keep the weights, float32 [rows, cols], as float64."""
        self._weights = weights.astype(np.float64)
        self._rounded = precision == "binary16"

    def rounded(self, x: Array) -> Rounded:
        """Round to binary16, or not at all."""
        return Rounded(round_binary16(x) if self._rounded else x)

    def product(self, x: Rounded) -> Array:
        """Return the product with rounded vectors, float64 [tokens, rows]."""
        return np.asarray(x.values @ self._weights.T)


class Int8Matrix(Matrix):
    """INT4 weights for INT8 inputs: exact integers block by block, then scales.

    A block's row of code − zero_point is kept as float32: products with INT8 codes add up to less than 2^24,
    so float32 sums of them are exact in any order, and BLAS computes them (LLQ-ACT-7).
    """

    def __init__(self, packed: PackedTensor) -> None:
        """Unpack the codes."""
        self._rows, self._cols = packed.shape
        self._down, self._across = block_grid(*packed.shape)
        codes = packed.codes.astype(np.int16)
        if packed.zero_points is None:
            codes -= ZERO_POINT_SYMMETRIC
        else:
            codes -= packed.zero_points.astype(np.int16)[:, None, None]
        grid = codes.reshape(self._down, self._across, BLOCK, BLOCK).transpose(1, 0, 2, 3)
        self._codes = grid.reshape(self._across, self._down * BLOCK, BLOCK).astype(
            np.float32
        )  # [across, rows, 64]
        self._codes[-1, :, self._cols - (self._across - 1) * BLOCK :] = (
            0  # codes outside the matrix do not count
        )
        self._scales = packed.scales.astype(np.float64).reshape(self._down, self._across).T  # [across, down]

    def rounded(self, x: Array) -> Rounded:
        """Quantize to INT8."""
        return Rounded(*quantize_int8(x))

    def product(self, x: Rounded) -> Array:
        """Return the product with INT8 codes, float64 [tokens, rows]."""
        q, s = x
        assert s is not None  # noqa: S101  # codes have scales
        padded = np.zeros((len(q), self._across * BLOCK), np.float32)
        padded[:, : self._cols] = q
        vectors = padded.reshape(len(q), self._across, BLOCK).transpose(1, 2, 0)  # [across, 64, tokens]
        dots = np.matmul(self._codes, vectors)  # exact integers, [across, rows, tokens]
        bands = dots.reshape(self._across, self._down, BLOCK, len(q))
        y = np.einsum("ji,jirt->irt", self._scales, bands, dtype=np.float64)
        return np.asarray(y.reshape(-1, len(q))[: self._rows].T * s)


def int4_matrix(packed: PackedTensor, precision: Precision) -> Matrix:
    """Return the matrix of an INT4 tensor for inputs of a precision."""
    return Int8Matrix(packed) if precision == "int8" else FloatMatrix(packed.dequantize(), precision)
