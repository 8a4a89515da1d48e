"""Expected logits, and the bound that an ensemble of legal executions gives (chapter Numerics)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vectors.kit.decoder import Decoder, Vector, Weights
from vectors.kit.disturbance import Disturbed, Exact

MEMBERS = 64
SAFETY = 4
FLOOR = 2.0**-20


@dataclass(frozen=True)
class Run:
    """What one execution computed: logits by position, residuals by position and layer, and decisions."""

    logits: list[Vector]
    residuals: list[list[Vector]]
    execution: Exact


def run(model: dict[str, Any], weights: Weights, tokens: Sequence[int], execution: Exact) -> Run:
    """Compute the logits of all positions."""
    decoder = Decoder(model, weights, execution)
    logits = [decoder.step(token) for token in tokens]
    return Run(logits, decoder.residuals, execution)


def distance(actual: list[Vector], exact: list[Vector]) -> float:
    """Return the largest difference of any logit."""
    pairs = zip(actual, exact, strict=True)
    return max(abs(a - b) for left, right in pairs for a, b in zip(left, right, strict=True))


@dataclass(frozen=True)
class Bounds:
    """The bounds for both kinds of KV cache, and how many executions with the first decided differently."""

    f32: float
    f16: float
    crossings: int


def bounds(model: dict[str, Any], weights: Weights, tokens: Sequence[int], exact: Run) -> Bounds:
    """Measure the bounds of logits."""
    greatest = max(abs(logit) for logits in exact.logits for logit in logits)
    limits: list[float] = []
    crossings = 0
    for cache16 in (False, True):
        furthest = 0.0
        for seed in range(MEMBERS):
            execution = run(model, weights, tokens, Disturbed(seed, cache16=cache16))
            furthest = max(furthest, distance(execution.logits, exact.logits))
            crossings += not cache16 and execution.execution.decisions != exact.execution.decisions
        limits.append(max(SAFETY * furthest, FLOOR * greatest))
    f32, f16 = limits
    return Bounds(f32, max(f32, f16), crossings)  # a cache may be wider than is declared
