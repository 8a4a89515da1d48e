"""Rounding of the inputs of matmuls (spec: Activations)."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LARGEST_BINARY16 = 65504.0
INT8_MAX = 127


def round_binary16(x: Array) -> Array:
    """Round to binary16, ties to even, clamped to ±65504 (LLQ-ACT-1); any shape, returned as float64."""
    return np.clip(x, -LARGEST_BINARY16, LARGEST_BINARY16).astype(np.float16).astype(np.float64)


def quantize_int8(x: Array) -> tuple[Array, Array]:
    """Quantize vectors along the last axis (LLQ-ACT-2 to LLQ-ACT-4).

    x: float64 [..., n]. Returns q, integers −127 to 127 as float64 [..., n], and s, float64 [..., 1].
    """
    largest = np.abs(x).max(axis=-1, keepdims=True)
    # 127·x / max|x| rather than x / s: one rounding less between x and its code.
    q = np.rint(np.divide(INT8_MAX * x, largest, out=np.zeros_like(x), where=largest > 0))
    return np.clip(q, -INT8_MAX, INT8_MAX), largest / INT8_MAX
