"""The bound of logits, from an ensemble of legal executions (chapter Numerics)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vectors.decoder64.decoder import Decoder
from vectors.decoder64.execution import Disturbed, Exact
from vectors.decoder64.package import Array

MEMBERS = 64
SAFETY = 4
FLOOR = 2.0**-20
SIGNIFICANT_BITS = 8


@dataclass(frozen=True)
class Bounds:
    """The bounds for both KV caches, and the number of executions with the first that decided otherwise."""

    f32: float
    f16: float
    crossings: int


def rounded_up(x: float) -> float:
    """Return a number rounded up to few bits: machines whose NumPy adds in other orders agree on it."""
    fraction, exponent = math.frexp(x)
    return math.ldexp(math.ceil(fraction * 2**SIGNIFICANT_BITS) / 2**SIGNIFICANT_BITS, exponent)


def rounded_down(x: float) -> float:
    """Return a number rounded down to few bits."""
    fraction, exponent = math.frexp(x)
    return math.ldexp(math.floor(fraction * 2**SIGNIFICANT_BITS) / 2**SIGNIFICANT_BITS, exponent)


def gap(logits: Array) -> float:
    """Return the minimum, over positions, by which the largest logit exceeds the largest different one."""
    top = logits.max(axis=1, keepdims=True)
    others = np.where(logits < top, logits, -np.inf).max(axis=1, keepdims=True)
    return float((top - others).min())


def same_decisions(one: Exact, other: Exact) -> bool:
    """Return whether two executions chose the same codes and experts."""
    if len(one.decisions) != len(other.decisions):
        return False
    return all(map(np.array_equal, one.decisions, other.decisions))


def bounds(
    decoder: Decoder, tokens: Sequence[int], positions: Sequence[int], exact: tuple[Array, Exact]
) -> Bounds:
    """Measure the bounds of the logits of some positions, given those of the exact execution."""
    expected, execution = exact
    limits: list[float] = []
    crossings = 0
    for cache16 in (False, True):
        furthest = 0.0
        for seed in range(MEMBERS):
            disturbed = Disturbed(seed, cache16=cache16)
            actual = decoder.logits(tokens, disturbed, positions)
            furthest = max(furthest, float(np.abs(actual - expected).max()))
            crossings += not cache16 and not same_decisions(disturbed, execution)
        limits.append(rounded_up(max(SAFETY * furthest, FLOOR * float(np.abs(expected).max()))))
    f32, f16 = limits
    return Bounds(f32, max(f32, f16), crossings)
