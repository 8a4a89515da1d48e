"""Norms and activation functions (spec: Decoder, LLQ-DEC-3 and LLQ-DEC-13)."""

import math

import numpy as np

from llq_format.reference.activations import Array


def rms_norm(x: Array, weight: Array | None, eps: float) -> Array:
    """Return weight · x / sqrt(mean(x²) + eps) along the last axis; without a weight, x over the root."""
    y = x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)
    return np.asarray(y if weight is None else weight * y)


def sigmoid(z: Array) -> Array:
    """Return 1 / (1 + e^−z)."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -z)))  # no overflow for any z


def silu(z: Array) -> Array:
    """Return z / (1 + e^−z)."""
    return z * sigmoid(z)


_erf = np.vectorize(math.erf, otypes=[np.float64])


def gelu(z: Array) -> Array:
    """Return z/2 · (1 + erf(z / √2)), the exact gelu."""
    return np.asarray(z / 2 * (1 + _erf(z / math.sqrt(2))))


ACTIVATIONS = {"silu": silu, "gelu": gelu}
"""Activation functions by the names that metadata gives them."""


def softmax(scores: Array) -> Array:
    """Return the softmax along the last axis; masked values are −inf."""
    weights = np.asarray(scores - scores.max(axis=-1, keepdims=True))
    np.exp(weights, out=weights)  # in place: the scores of a long sequence fill much memory
    weights /= weights.sum(axis=-1, keepdims=True)
    return weights
