"""Rounding of the inputs of matmuls and of the KV cache, as balls (LLQ-ACT-1 to ACT-6, LLQ-NUM-2)."""

import numpy as np

from .ball import Ball, Reals

LARGEST = 65504.0
NORMAL = 2.0**-14
"""Smallest normal number of binary16: a smaller result may be 0 instead (LLQ-ACT-12)."""

GUARD = 2.0**-13
NEGLIGIBLE = 2.0**-100
SCALE_ERROR = 2.0**-21


def nearest16(x: Reals) -> Reals:
    """Return values rounded to binary16 and clamped to ±65504."""
    with np.errstate(invalid="ignore"):
        return np.clip(x, -LARGEST, LARGEST).astype(np.float16).astype(np.float64)


def binary16(x: Ball) -> Ball:
    """Return the rounded values; rounding is monotone, so an interval of inputs gives one of results."""
    value, low, high = nearest16(x.value), nearest16(x.value - x.radius), nearest16(x.value + x.radius)
    radius = np.maximum(high - value, value - low)
    flushable = np.abs(x.value) - x.radius < NORMAL
    return Ball(value, np.where(flushable, np.maximum(radius, np.abs(value)), radius))


def int8(x: Ball) -> tuple[Ball, Ball]:
    """Return the codes [tokens, n] and the scales [tokens] of vectors.

    A ball of codes contains every legal code: those within the guard band, for every legal input.
    """
    largest = np.abs(x.value).max(axis=-1, keepdims=True)
    shift = x.radius.max(axis=-1, keepdims=True)
    least = largest - shift
    with np.errstate(divide="ignore", invalid="ignore"):
        exact = np.where(largest > 0, 127 * x.value / largest, 0.0)
        moved = 127 * (x.radius / least + np.abs(x.value) * shift / (largest * least))
    moved = np.where(least > 0, moved, np.where(shift == 0, 0.0, np.inf))
    reach = 0.5 + GUARD + np.minimum(moved, 254)
    low, high = np.clip(np.ceil(exact - reach), -127, 127), np.clip(np.floor(exact + reach), -127, 127)
    negligible = largest < NEGLIGIBLE
    low, high = np.where(negligible, np.minimum(low, 0), low), np.where(negligible, np.maximum(high, 0), high)
    codes = Ball((low + high) / 2, (high - low) / 2)
    scale = largest / 127
    radius = shift / 127 + SCALE_ERROR * (largest + shift) / 127
    return codes, Ball(scale, np.where(negligible, np.maximum(radius, scale), radius))[:, 0]


def cached(x: Ball, kv_cache: str) -> Ball:
    """Return keys or values as a KV cache may hold them: as declared, or wider."""
    if kv_cache == "f32":
        return x.widened(2.0**-24 * x.magnitude + 2.0**-126)
    stored = binary16(x)
    farthest = np.abs(stored.value - x.value) + np.maximum(stored.radius, x.radius)
    return Ball(x.value, farthest)
