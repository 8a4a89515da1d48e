"""Multiplication with inputs rounded as runtimes round them."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from llq_format.reference.activations import quantize_int8, round_binary16
from llq_format.reference.batch import Floats, Multiply


def rounded_inputs(weights: Mapping[str, Floats], *, int8: bool) -> Multiply:
    """Return the multiplication by weights with inputs rounded for INT4 matmuls (LLQ-ACT-1, LLQ-ACT-2)."""

    def multiply(name: str, x: Floats, tokens: NDArray[np.intp] | None) -> Floats:  # noqa: ARG001
        if not int8:
            return round_binary16(x).astype(np.float32) @ weights[name].T
        q, s = quantize_int8(x)
        return np.asarray(q.astype(np.float32) @ weights[name].T * s.astype(np.float32))

    return multiply
