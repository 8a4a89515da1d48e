"""Executions of a model: the exact one, and legal ones whose operations have random legal errors.

Each method represents a kind of operation. Its arguments are the exact results, and the values on which the
legal errors depend (chapter Numerics, Derivation of the bounds of vectors).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vectors.decoder64.matrix import U
from vectors.decoder64.package import Array

LARGEST_BINARY16 = 65504.0
GUARD = 2.0**-13
"""Distance from a rounding boundary within which either INT8 code is legal (ACT-5), in steps."""

TRIGONOMETRIC = 2.0**-20


def binary16(x: Array) -> Array:
    """Round to binary16, clamped to ±65504."""
    return np.clip(x, -LARGEST_BINARY16, LARGEST_BINARY16).astype(np.float16).astype(np.float64)


class Exact:
    """The execution in exact arithmetic; it records INT8 codes and experts, and the margins of both."""

    def __init__(self) -> None:
        self.decisions: list[NDArray[np.int64]] = []
        self.int8_margin = 0.5
        self.router_margin = float("inf")

    def input16(self, x: Array) -> Array:
        """Round the input of a matmul to binary16."""
        return binary16(x)

    def input8(self, x: Array) -> tuple[Array, Array]:
        """Return the scale of each vector [n, 1] and INT8 codes [n, cols]."""
        largest = np.abs(x).max(axis=-1, keepdims=True)
        exact = np.divide(127 * x, largest, out=np.zeros_like(x), where=largest > 0)
        return largest / 127, self.codes(exact)

    def codes(self, exact: Array) -> Array:
        """Round 127 x / max|x|."""
        self.int8_margin = min(self.int8_margin, float(np.abs(exact - np.floor(exact) - 0.5).min()))
        codes = np.clip(np.rint(exact), -127, 127)
        self.decisions.append(codes.astype(np.int64).reshape(-1))
        return codes

    def experts(self, values: Array) -> NDArray[np.int64]:
        """Choose the largest of the router's values [n, experts], the lowest index among equals."""
        chosen = np.asarray(values.argmax(axis=-1))
        gaps = values.max(axis=-1, keepdims=True) - values
        self.router_margin = min(self.router_margin, float(gaps[gaps > 0].min(initial=np.inf)))
        self.decisions.append(chosen)
        return chosen

    def matmul(self, y: Array, _error_bound: Callable[[], Array]) -> Array:
        """Return a matrix product."""
        return y

    def norm(self, y: Array) -> Array:
        """Return the result of a norm along the last axis."""
        return y

    def rotation(self, x: Array) -> Array:
        """Return cosines or sines."""
        return x

    def sum(self, total: Array, _count: Array | int, _magnitude: Callable[[], Array]) -> Array:
        """Return sums of `count` products; the magnitude is the sum of their magnitudes."""
        return total

    def factor(self, x: Array) -> Array:
        """Return the factors of temperature."""
        return x

    def softmax(self, weights: Array, _below: Array, _count: Array) -> Array:
        """Return softmax weights, given by how much each score is below the largest, and their number."""
        return weights

    def silu(self, y: Array, _z: Array) -> Array:
        """Return silu or sigmoid of z."""
        return y

    def gelu(self, y: Array, _z: Array) -> Array:
        """Return gelu of z."""
        return y

    def product(self, y: Array) -> Array:
        """Return products of two numbers."""
        return y

    def residual(self, x: Array, y: Array) -> Array:
        """Return residual sums."""
        return x + y

    def cached(self, x: Array) -> Array:
        """Return keys or values as the KV cache holds them."""
        return x


class Disturbed(Exact):
    """An execution whose every result is disturbed at random, uniformly within its legal error."""

    def __init__(self, seed: int, *, cache16: bool = False) -> None:
        super().__init__()
        self.random = np.random.Generator(np.random.PCG64(seed)).random
        self.cache16 = cache16

    def off(self, x: Array, bound: Array | float) -> Array:
        """Return numbers within a bound of others."""
        return x + (2 * self.random(x.shape) - 1) * bound

    def codes(self, exact: Array) -> Array:
        """Round; either way in the guard band."""
        return super().codes(self.off(exact, GUARD))

    def matmul(self, y: Array, error_bound: Callable[[], Array]) -> Array:
        """Disturb within the error bound."""
        return self.off(y, error_bound())

    def norm(self, y: Array) -> Array:
        """Disturb within the bound of a norm."""
        n = y.shape[-1]
        return self.off(y, (n / 2 + 8) * U / (1 - (n + 8) * U) * np.abs(y))

    def rotation(self, x: Array) -> Array:
        """Disturb within what DEC-6 allows."""
        return self.off(x, TRIGONOMETRIC)

    def sum(self, total: Array, count: Array | int, magnitude: Callable[[], Array]) -> Array:
        """Disturb within the bound of a sum of products."""
        return self.off(total, (count + 8) * U * magnitude())

    def factor(self, x: Array) -> Array:
        """Disturb by the relative error of a logarithm."""
        return self.off(x, TRIGONOMETRIC * x)

    def softmax(self, weights: Array, below: Array, count: Array) -> Array:
        """Disturb by the relative error of exp, a sum and a quotient."""
        return self.off(weights, (4 * below + count + 16) * U * weights)

    def silu(self, y: Array, z: Array) -> Array:
        """Disturb by the relative error of exp, a sum and a quotient."""
        return self.off(y, (4 * np.abs(z) + 16) * U * np.abs(y))

    def gelu(self, y: Array, z: Array) -> Array:
        """Disturb by the error of erf."""
        return self.off(y, TRIGONOMETRIC * np.abs(z) / 2 + 8 * U * np.abs(y))

    def product(self, y: Array) -> Array:
        """Disturb by one rounding."""
        return self.off(y, U * np.abs(y))

    def residual(self, x: Array, y: Array) -> Array:
        """Disturb by one rounding."""
        return self.off(x + y, U * (np.abs(x) + np.abs(y)))

    def cached(self, x: Array) -> Array:
        """Round where the cache is binary16."""
        return binary16(x) if self.cache16 else x
