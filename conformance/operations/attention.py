"""Scores, softmax and weighted values, with their error bounds (LLQ-NUM-16)."""

import math

import numpy as np
from numpy.typing import NDArray

from .ball import TINY, Ball, Reals, U


def visible(positions: Reals, chunk_size: int | None) -> NDArray[np.bool_]:
    """Return which positions each position attends to, [queries, keys] (LLQ-DEC-10)."""
    queries, keys = positions[:, None], positions[None, :]
    causal = keys <= queries
    return causal if chunk_size is None else causal & (keys // chunk_size == queries // chunk_size)


def by_head(heads: Ball, num_heads: int) -> Ball:
    """Return keys or values [positions, kv_heads, head_dim] as each query head reads them (LLQ-DEC-4)."""
    kv_heads = heads.value.shape[1]
    return heads[:, np.arange(num_heads) * kv_heads // num_heads]


def divided(q: Ball) -> Ball:
    """Return queries divided by sqrt(head_dim), with the propagated radius alone."""
    root = math.sqrt(q.value.shape[-1])
    return Ball(q.value / root, q.radius / root)


def rounded(q: Ball) -> Ball:
    """Return divided queries with the error of a sum of one term."""
    return q.widened((1 + 8) * U * q.magnitude + TINY)


def scores(q: Ball, keys: Ball) -> Ball:
    """Return the scores of scaled queries, [queries, heads, keys] (LLQ-DEC-9).

    keys: as each query head reads them.
    """
    size = q.value.shape[-1]

    def dots(a: Reals, b: Reals) -> Reals:
        return np.asarray(np.einsum("thd,phd->thp", a, b))

    magnitude = dots(q.magnitude, keys.magnitude)
    moved = magnitude - dots(np.abs(q.value), np.abs(keys.value))
    return Ball(dots(q.value, keys.value), np.maximum(moved, 0) + (size + 8) * U * magnitude + size * TINY)


def softmax(score: Ball, mask: NDArray[np.bool_]) -> Ball:
    """Return the weights of the values, [queries, heads, keys]; 0 where the mask hides a position."""
    shown = np.broadcast_to(mask[:, None, :], score.value.shape)
    values = np.where(shown, score.value, -np.inf)
    below = values.max(axis=-1, keepdims=True) - values
    weights = np.exp(-below)
    weights = weights / weights.sum(axis=-1, keepdims=True)
    reach = np.where(shown, score.radius, 0).max(axis=-1, keepdims=True)
    count = mask.sum(axis=-1)[:, None, None]
    with np.errstate(invalid="ignore", over="ignore"):
        own = (4 * (below + 2 * reach) + count + 16) * U
        moved = np.expm1(2 * reach)
        radius = weights * (moved + own * (1 + moved)) + TINY
    return Ball(np.where(shown, weights, 0.0), np.where(shown, radius, 0.0))


def weighted(weights: Ball, values: Ball, mask: NDArray[np.bool_]) -> Ball:
    """Return the outputs of the heads, [queries, heads · head_dim] (LLQ-DEC-11)."""

    def sums(a: Reals, b: Reals) -> Reals:
        return np.asarray(np.einsum("thp,phd->thd", a, b))

    magnitude = sums(weights.magnitude, values.magnitude)
    moved = magnitude - sums(np.abs(weights.value), np.abs(values.value))
    roundings = (mask.sum(axis=-1) + 8)[:, None, None]
    own = roundings * U * magnitude
    y = Ball(sums(weights.value, values.value), np.maximum(moved, 0) + own + roundings * TINY)
    return y.reshape(len(y.value), -1)
