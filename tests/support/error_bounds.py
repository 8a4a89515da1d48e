"""The error bound of a matmul for each element, as chapter Numerics defines it.

It is computed from the package's bytes, to judge the bounds that vectors state; no runtime is judged by it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conformance.container.decoding import Integers, Reading, Reals
from conformance.container.package import BLOCK, Tensor, ceil_div
from conformance.core.runtime import Format

U = 2.0**-24
"""The unit roundoff of binary32."""

NORMAL = 2.0**-14
"""The smallest normal number of binary16."""

SCALE_ERROR = 2.0**-21


@dataclass(frozen=True)
class BoundedProducts:
    """The products of a matrix and rounded vectors, [n, rows], and how far off each may be."""

    expected: Reals
    bound: Reals


def bounded_products(tensor: Tensor, form: Format, x: NDArray[np.float32]) -> BoundedProducts:
    """Return the products of a matrix and vectors, [n, cols], which are rounded first."""
    inputs = x.astype(np.float64)
    return _int8(tensor, inputs) if form == "int8" else _binary16(tensor, inputs)


def _binary16(tensor: Tensor, x: Reals) -> BoundedProducts:
    a = np.clip(x, -65504, 65504).astype(np.float16).astype(np.float64)
    weights, counted = _matrix(tensor, Reading()), np.abs(_matrix(tensor, Reading(weigh=_apart)))
    flushed = np.where(np.abs(a) < NORMAL, np.abs(a), 0)
    roundings = (tensor.shape[1] + 8) * U
    bound = roundings / (1 - roundings) * (np.abs(a) @ counted.T) + flushed @ np.abs(weights).T
    return BoundedProducts(a @ weights.T, bound)


def _int8(tensor: Tensor, x: Reals) -> BoundedProducts:
    largest = np.abs(x).max(axis=1, keepdims=True)
    q = np.rint(np.divide(127 * x, largest, out=np.zeros_like(x), where=largest > 0))
    dots = np.einsum("rbc,nbc->nrb", _blocks(_matrix(tensor, Reading(weigh=_integers))), _blocks(q))
    products = largest[:, :, None] / 127 * _matrix(tensor, Reading(weigh=_scales))[:, ::BLOCK] * dots
    roundings = (dots.shape[2] + 4) * U
    bound = (SCALE_ERROR + roundings) / (1 - roundings) * np.abs(products).sum(axis=2)
    return BoundedProducts(products.sum(axis=2), bound)


def _matrix(tensor: Tensor, reading: Reading) -> Reals:
    """Return a matrix whose elements are the weights, or the reading's interpretation of the stored bytes."""
    return reading.join([reading.matrix(part) for part in tensor.parts])


def _blocks(rows: Reals) -> Reals:
    """Return rows cut at the edges of blocks, [rows, blocks, 64], filled up with zeros."""
    count = ceil_div(rows.shape[1], BLOCK)
    padded = np.pad(rows, ((0, 0), (0, count * BLOCK - rows.shape[1])))
    return padded.reshape(len(rows), count, BLOCK)


def _apart(q: Integers, scale: Reals, zero_point: Integers) -> Reals:
    """Return the magnitudes of weights, code and zero point counted apart."""
    return scale[:, None, None] * (q + np.abs(zero_point)[:, None, None])


def _integers(q: Integers, scale: Reals, zero_point: Integers) -> Reals:  # noqa: ARG001 - applied later
    return (q - zero_point[:, None, None]).astype(np.float64)


def _scales(q: Integers, scale: Reals, zero_point: Integers) -> Reals:  # noqa: ARG001 - the scales alone
    return np.broadcast_to(scale[:, None, None], q.shape)
