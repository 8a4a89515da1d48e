"""Mistakes in one matrix product (ACT-8, NUM-3)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import llq_format
from conformance.adapter import Format, Reals
from conformance.reference import Reference
from llq_format.reference.activations import Array, quantize_int8, round_binary16
from tests.mistakes.mistake import runtime


def _multiply(product: Callable[[Array, Array], Array]) -> type[Reference]:
    """Return a runtime whose products of rounded inputs [n, cols] and weights [rows, cols] are others."""

    class Multiplies(Reference):
        def matvec(self, package: Path, tensor: str, form: Format, x: NDArray[np.float32]) -> Reals:
            with llq_format.open(package) as opened:
                weights = opened.get_tensor(tensor).astype(np.float64)
            if form == "binary16":
                return product(round_binary16(x.astype(np.float64)), weights)
            q, s = quantize_int8(x.astype(np.float64))
            with np.errstate(invalid="ignore"):
                return s * product(q, weights)

    return Multiplies


def _narrow(a: Array, weights: Array) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        terms = (a[:, None] * weights).astype(np.float16)
        return terms.cumsum(axis=-1, dtype=np.float16)[..., -1].astype(np.float64)


def _narrow_weights(a: Array, weights: Array) -> Array:
    return a @ weights.astype(np.float16).astype(np.float64).T


runtime("sums in binary16", "LLQ-ACT-8", "matvec")(_multiply(_narrow))
runtime("weights in binary16", "LLQ-NUM-3", "matvec")(_multiply(_narrow_weights))
