"""Matrix products in binary32, in all sorts of orders that chapter Numerics allows, and in binary16."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...container import decoding
from ...container.package import BLOCK, Tensor, ceil_div, read_tensor
from ...core.runtime import Format, Info, Reals, Rounded

Float32 = NDArray[np.float32]
Sum = Callable[[Float32], Float32]
"""Sums along the last axis."""

SCALE_ERROR = 0.99 * 2.0**-21


def sequential(terms: Float32) -> Float32:
    """Add one after another."""
    return terms.cumsum(axis=-1, dtype=np.float32)[..., -1]


def worst(terms: Float32) -> Float32:
    """Add positive terms first, so that the sum grows before the negative ones consume it."""
    return sequential(-np.sort(-terms, axis=-1))


def pairwise(terms: Float32) -> Float32:
    """Add halves of halves."""
    if terms.shape[-1] == 1:
        return terms[..., 0]
    half = terms.shape[-1] // 2
    return pairwise(terms[..., :half]) + pairwise(terms[..., half:])


def split_in_16(terms: Float32) -> Float32:
    """Add in 16 invocations, then their sums."""
    return sequential(
        np.stack([sequential(np.pad(terms, _one_more(terms))[..., i::16]) for i in range(16)], -1)
    )


def _one_more(terms: Float32) -> list[tuple[int, int]]:
    return [(0, 0)] * (terms.ndim - 1) + [(0, 16)]


def shuffled(seed: int) -> Sum:
    """Add in an order that is new each time."""
    rng = np.random.default_rng(seed)
    return lambda terms: sequential(terms[..., rng.permutation(terms.shape[-1])])


def in_binary16(terms: Float32) -> Float32:
    """Accumulate too narrowly."""
    with np.errstate(over="ignore", invalid="ignore"):
        return terms.astype(np.float16).cumsum(axis=-1, dtype=np.float16)[..., -1].astype(np.float32)


class Matrix:
    """A matrix of a package, as a kernel sees it."""

    def __init__(self, tensor: Tensor) -> None:
        """Decode codes, zero points and scales, each an array of rows."""

        def rows(weigh: Callable[..., Any]) -> NDArray[np.float64]:
            reading = decoding.Reading(weigh=weigh)
            return reading.join([reading.matrix(part) for part in tensor.parts])

        self.weights = rows(decoding.weigh).astype(np.float32)
        self.codes = rows(lambda q, _s, _z: q.astype(np.float64))
        self.zero_points = rows(
            lambda q, _s, z: np.broadcast_to(z[:, None, None], q.shape).astype(np.float64)
        )
        self.scales = rows(lambda q, s, _z: np.broadcast_to(s[:, None, None], q.shape)).astype(np.float32)

    def plain(self, a: Float32, total: Sum) -> Float32:
        """Return the sums of weight · a for vectors [n, cols]."""
        return total(a[:, None, :] * self.weights)

    def fused(self, a: Float32) -> Float32:
        """Return the sums with fused multiply-add."""
        y = np.zeros((len(a), len(self.weights)), np.float32)
        for column in range(a.shape[1]):
            exact = self.weights[:, column].astype(np.float64) * a[:, column, None]
            y = (y + exact).astype(np.float32)
        return y

    def separate(self, a: Float32, total: Sum) -> Float32:
        """Return the sums over blocks of scale · (the sum of code · a − zero_point · the sum of a)."""
        codes = total(_blocks(a)[:, None] * _blocks(self.codes.astype(np.float32)))
        sums = total(_blocks(a))[:, None]
        zero_points, scales = self.zero_points[:, ::BLOCK].astype(np.float32), self.scales[:, ::BLOCK]
        return total(scales * (codes - zero_points * sums))

    def integers(self, q: Float32, s: Float32, total: Sum, *, early: bool = False) -> Float32:
        """Return s · the sum over blocks of scale · an exact integer; `early` multiplies by s first."""
        dots = np.einsum(
            "rbc,nbc->nrb", _blocks(self.codes - self.zero_points), _blocks(q.astype(np.float64))
        )
        scales, exact = self.scales[:, ::BLOCK], dots.astype(np.float32)
        if early:
            return total(s[:, :, None] * scales * exact)
        return s * total(scales * exact)


def _blocks(rows: NDArray[Any]) -> NDArray[Any]:
    count = ceil_div(rows.shape[-1], BLOCK)
    padded = np.pad(rows, ((0, 0), (0, count * BLOCK - rows.shape[-1])))
    return padded.reshape(len(rows), count, BLOCK)


def round16(x: Float32, *, flush: bool = True) -> Float32:
    """Round to binary16, subnormals flushed."""
    a = np.clip(x, -65504, 65504).astype(np.float16).astype(np.float32)
    return np.where((np.abs(a) < 2.0**-14) & flush, np.float32(0), a)


def round8(x: Float32) -> tuple[Float32, Float32]:
    """Quantize to INT8 in binary32, with a reciprocal; return codes and s, [n, 1]."""
    largest = np.abs(x).max(axis=-1, keepdims=True)
    alive = largest >= 2.0**-100
    reciprocal = np.float32(127) / np.where(alive, largest, np.float32(1))
    q = np.where(alive, np.clip(np.rint(x * reciprocal), -127, 127), np.float32(0))
    return q, np.where(alive, largest * np.float32(1 / 127), np.float32(0))


KERNELS: dict[str, Callable[[Matrix, Float32], Float32]] = {
    "sequential": lambda matrix, a: matrix.plain(a, sequential),
    "worst order": lambda matrix, a: matrix.plain(a, worst),
    "pairwise": lambda matrix, a: matrix.plain(a, pairwise),
    "split in 16": lambda matrix, a: matrix.plain(a, split_in_16),
    "shuffled": lambda matrix, a: matrix.plain(a, shuffled(1)),
    "fused": Matrix.fused,
    "code and zero point apart": lambda matrix, a: matrix.separate(a, sequential),
    "apart in the worst order": lambda matrix, a: matrix.separate(a, worst),
}
"""Legal kernels for inputs in binary16."""

INTEGER_KERNELS: dict[str, Callable[[Matrix, Float32, Float32], Float32]] = {
    "sequential": lambda matrix, q, s: matrix.integers(q, s, sequential),
    "worst order": lambda matrix, q, s: matrix.integers(q, s, worst),
    "pairwise": lambda matrix, q, s: matrix.integers(q, s, pairwise),
    "split in 16": lambda matrix, q, s: matrix.integers(q, s, split_in_16),
    "s before the sum": lambda matrix, q, s: matrix.integers(q, s, sequential, early=True),
    "s too great": lambda matrix, q, s: matrix.integers(q, s * np.float32(1 + SCALE_ERROR), sequential),
    "s too small": lambda matrix, q, s: matrix.integers(q, s * np.float32(1 - SCALE_ERROR), worst),
}
"""Legal kernels for INT8 inputs."""


class KernelRuntime:
    """A runtime of one kernel: it rounds vectors and multiplies them."""

    capabilities = frozenset({"matvec", "activations"})
    info = Info("kernels")

    def __init__(
        self,
        binary16: Callable[[Matrix, Float32], Float32] = KERNELS["sequential"],
        int8: Callable[[Matrix, Float32, Float32], Float32] = INTEGER_KERNELS["sequential"],
        *,
        flush: bool = True,
    ) -> None:
        self.binary16 = binary16
        self.int8 = int8
        self.flush = flush

    def activations(self, x: Float32, form: Format) -> Rounded:
        """Round vectors, in binary32 arithmetic."""
        if form == "binary16":
            return Rounded(round16(x, flush=self.flush))
        q, s = round8(x)
        return Rounded(q, s[:, 0])

    def matvec(self, package: Path, tensor: str, form: Format, x: Float32) -> Reals:
        """Multiply rounded vectors by a matrix."""
        matrix = Matrix(read_tensor(package, tensor))
        if form == "binary16":
            return self.binary16(matrix, round16(x, flush=self.flush))
        exact = np.abs(x).max(axis=1, keepdims=True).astype(np.float64) / 127
        return self.int8(matrix, round8(x)[0], exact.astype(np.float32))
