"""Matrix products and the error bound of chapter Numerics for each element (LLQ-NUM-15, LLQ-NUM-16)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..container import decoding
from ..container.package import BLOCK, Tensor, ceil_div
from .ball import TINY, Ball, Reals, concatenated, gamma
from .rounding import NORMAL, SCALE_ERROR


class Matrix:
    """A matrix of a package.

    weights: [rows, cols]. counted: the share of each element in the error bound of binary16 inputs.
    differences: code − zero_point, and scales: [rows, blocks], of an INT4 matrix.
    """

    def __init__(self, tensor: Tensor) -> None:
        """Decode a tensor."""
        self._tensor = tensor
        self.weights = self._rows(decoding.weigh)
        self.counted = np.abs(self.weights)
        if tensor.quantized:
            self.counted = self._rows(lambda q, s, z: s[:, None, None] * (q + np.abs(z)[:, None, None]))
            self.differences = _blocks(self._rows(lambda q, _s, z: (q - z[:, None, None]).astype(np.float64)))
            spread = self._rows(lambda q, s, _z: np.broadcast_to(s[:, None, None], q.shape))
            self.scales = spread[:, ::BLOCK]

    def _rows(self, weigh: Callable[..., Any]) -> Reals:
        reading = decoding.Reading(weigh=weigh)
        return np.asarray(reading.join([reading.matrix(part) for part in self._tensor.parts]), np.float64)

    def times(self, x: Ball, *, rounded: bool = True) -> Ball:
        """Return the products with vectors [tokens, cols] in binary16, or not rounded.

        Of rounded inputs, subnormal values may have been flushed.
        """
        n = x.value.shape[-1]
        magnitude = x.magnitude
        flushed = np.where(rounded & (magnitude < NORMAL), magnitude, 0.0)
        absolute = np.abs(self.weights).T
        radius = gamma(n + 8) * (magnitude @ self.counted.T) + (flushed + x.radius) @ absolute
        return Ball(x.value @ self.weights.T, radius + (n + 8) * TINY)

    def times_codes(self, codes: Ball, scales: Ball) -> Ball:
        """Return the products with INT8 codes [tokens, cols] and their scales [tokens]."""
        q, reach, n = _blocks(codes.value), _blocks(codes.radius), self.scales.shape[1]
        terms = self.scales * np.einsum("rbc,tbc->trb", self.differences, q)
        moved = np.einsum("rb,rbc,tbc->tr", self.scales, np.abs(self.differences), reach)
        own = (SCALE_ERROR + (n + 4) * 2.0**-24) / (1 - (n + 4) * 2.0**-24)
        s, y, magnitude = scales[:, None], terms.sum(axis=-1), np.abs(terms).sum(axis=-1) + moved
        radius = s.magnitude * (moved + own * magnitude) + s.radius * magnitude
        return Ball(s.value * y, radius + (n + 8) * TINY)


class RoutedMatrix:
    """The matrices of experts, one for each token."""

    def __init__(self, matrix: Callable[[int], Matrix], chosen: NDArray[np.intp]) -> None:
        """Keep the function that returns the matrix of an expert, and the expert of each token."""
        self._matrix = matrix
        self._chosen = chosen

    def times(self, x: Ball) -> Ball:
        """Return the products with vectors in binary16."""
        return self._scattered(lambda matrix, mine: matrix.times(x[mine]))

    def times_codes(self, codes: Ball, scales: Ball) -> Ball:
        """Return the products with INT8 codes."""
        return self._scattered(lambda matrix, mine: matrix.times_codes(codes[mine], scales[mine]))

    def _scattered(self, product: Callable[[Matrix, NDArray[np.intp]], Ball]) -> Ball:
        experts = [int(expert) for expert in np.unique(self._chosen)]
        mine = [np.flatnonzero(self._chosen == expert) for expert in experts]
        balls = [product(self._matrix(expert), rows) for expert, rows in zip(experts, mine, strict=True)]
        return concatenated(balls)[np.argsort(np.concatenate(mine))]


def _blocks(rows: NDArray[Any]) -> Reals:
    """Return rows [n, cols] in blocks of 64 columns, [n, blocks, 64]."""
    count = ceil_div(rows.shape[-1], BLOCK)
    padded = np.pad(rows, ((0, 0), (0, count * BLOCK - rows.shape[-1])))
    return padded.reshape(len(rows), count, BLOCK)
