"""Norms, activation functions, sigmoid and temperature, with their error bounds (LLQ-NUM-16)."""

import math

import numpy as np

from .ball import TINY, Ball, Reals, U, product

SPECIAL = 2.0**-20
"""Error of cosine, sine, logarithm and error function."""

_erf = np.vectorize(math.erf, otypes=[np.float64])

STEEPEST = 1.13
"""Greater than the slopes of silu and gelu anywhere."""


def norm(x: Ball, weight: Reals | None, eps: float) -> Ball:
    """Return w · x / sqrt(mean(x²) + eps) along the last axis (LLQ-DEC-3, LLQ-DEC-7)."""
    n = x.value.shape[-1]
    root = np.sqrt(np.mean(x.value**2, axis=-1, keepdims=True) + eps)
    # The root is the length of the vector (x / √n, √eps), and lengths differ by no more than vectors do.
    shift = np.sqrt(np.mean(x.radius**2, axis=-1, keepdims=True))
    least = root - shift
    factor = np.ones(n) if weight is None else np.abs(weight)
    y = x.value / root if weight is None else weight * x.value / root
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = factor * (x.radius / least + np.abs(x.value) * shift / (root * least))
    moved = np.where(least > 0, moved, np.inf)
    own = (n / 2 + 8) * U / (1 - (n + 8) * U)
    return Ball(y, moved + own * (np.abs(y) + moved) + TINY * np.maximum(factor / root, 1))


def sigmoid(z: Ball) -> Ball:
    """Return 1 / (1 + e^−z), which may be computed as (1 + tanh(z / 2)) / 2."""
    y = np.exp(-np.logaddexp(0.0, -z.value))
    return Ball(y, z.radius / 4 + (4 * z.magnitude + 16) * U * (y + z.radius / 4) + U)


def silu(z: Ball) -> Ball:
    """Return z · sigmoid(z)."""
    y = z.value * np.exp(-np.logaddexp(0.0, -z.value))
    moved = STEEPEST * z.radius
    return Ball(y, moved + (4 * z.magnitude + 16) * U * (np.abs(y) + moved) + U * z.magnitude + TINY)


def gelu(z: Ball) -> Ball:
    """Return z/2 · (1 + erf(z / √2))."""
    y = z.value / 2 * (1 + _erf(z.value / math.sqrt(2)))
    moved = STEEPEST * z.radius
    return Ball(y, moved + SPECIAL * z.magnitude / 2 + 8 * U * (np.abs(y) + moved) + TINY)


ACTIVATIONS = {"silu": silu, "gelu": gelu}


def hidden(rows: Ball, activation: str, *, gated: bool) -> Ball:
    """Return act(gate) ⊙ up, or act(up) (LLQ-DEC-12, LLQ-DEC-13)."""
    if not gated:
        return ACTIVATIONS[activation](rows)
    size = rows.value.shape[-1] // 2
    return rounded_product(ACTIVATIONS[activation](rows[..., :size]), rows[..., size:])


def rounded_product(a: Ball, b: Ball) -> Ball:
    """Return a · b with the error of one multiplication."""
    y = product(a, b)
    return y.widened(U * y.magnitude + TINY)


def temperature(q: Ball, positions: Reals, attn_scale: float, floor_scale: int) -> Ball:
    """Return queries [tokens, heads, head_dim] times the factor of their position (LLQ-DEC-8)."""
    factors = 1 + attn_scale * np.log1p(np.floor((positions + 1) / floor_scale))
    factor = Ball(factors, SPECIAL * np.abs(factors))[:, None, None]
    return rounded_product(q, factor)


def rotated(x: Ball, angles: Reals, pairing: str) -> Ball:
    """Return heads [tokens, heads, head_dim] after RoPE; angles: [tokens, head_dim / 2] (LLQ-DEC-5)."""
    half = x.value.shape[-1] // 2
    low, high = slice(0, half), slice(half, None)
    if pairing == "interleaved":
        low, high = slice(0, None, 2), slice(1, None, 2)
    y = Ball(np.zeros_like(x.value), np.zeros_like(x.value))
    a, b = x[..., low], x[..., high]
    cos, sin = np.cos(angles)[:, None, :], np.sin(angles)[:, None, :]
    for place, first, second, sign in ((low, a, b, -1), (high, b, a, 1)):
        terms = first.magnitude * np.abs(cos) + second.magnitude * np.abs(sin)
        y.value[..., place] = first.value * cos + sign * second.value * sin
        y.radius[..., place] = (
            first.radius * np.abs(cos)
            + second.radius * np.abs(sin)
            + SPECIAL * (first.magnitude + second.magnitude)
            + (2 + 8) * U * terms
            + 2 * TINY
        )
    return y.widened(0.0)
