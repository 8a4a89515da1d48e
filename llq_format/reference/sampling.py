"""Sampling of a token from logits (spec: Execution program, Sampled choice)."""

import math
from dataclasses import dataclass

import numpy as np

from llq_format.reference.activations import Array

COLDEST = 2.0**-60
"""Smaller temperatures count as 0: the largest logit is selected."""

_MASK = 0xFFFFFFFF


@dataclass(frozen=True)
class Sampling:
    """The parameters of sampling: temperature 0 is greedy; top_k None or 0 and top_p 1 keep all tokens.

    seed: of 64 bits; the same seed, logits and position give the same token.
    min_p: the smallest kept weight, where the maximum has weight 1; 0 keeps all tokens.
    Raises ValueError for a temperature or top_p that is negative or not finite in binary32, for a
    negative top_k (LLQ-GEN-9), and for a min_p outside 0 to 1 (LLQ-GEN-13).
    """

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float = 1.0
    seed: int = 0
    min_p: float = 0.0

    def __post_init__(self) -> None:
        """Refuse values that sections Sampled choice and Adjusted choice forbid."""
        for name, value in (("temperature", self.temperature), ("top_p", self.top_p)):
            with np.errstate(over="ignore"):
                finite = math.isfinite(np.float32(value))
            if not (finite and value >= 0):
                raise ValueError(f"{name} must be a number of at least 0, finite in binary32, not {value}")
        if self.top_k is not None and self.top_k < 0:
            raise ValueError(f"top_k must be at least 0 (0 keeps all tokens), not {self.top_k}")
        if not 0 <= self.min_p <= 1:
            raise ValueError(f"min_p must be a number from 0 to 1, not {self.min_p}")


def choose(logits: Array, sampling: Sampling, position: int) -> int:
    """Return the id of the token at `position`, from logits float64 [vocab_size] (LLQ-GEN-1, LLQ-GEN-3).

    The steps have the numbers of section Sampled choice.
    """
    temperature, top_p = float(np.float32(sampling.temperature)), float(np.float32(sampling.top_p))
    if temperature < COLDEST:
        return int(logits.argmax())
    ranked = np.argsort(-logits, kind="stable")  # 1
    ranked = ranked[: sampling.top_k or None]  # 2
    weights = np.exp((logits[ranked] - logits[ranked[0]]) / temperature)  # 3
    if top_p < 1:  # 4
        sums = np.cumsum(weights)
        count = int(np.searchsorted(sums, top_p * sums[-1])) + 1
        ranked, weights = ranked[:count], weights[:count]
    count = likely(weights, sampling.min_p)
    ranked, weights = ranked[:count], weights[:count]
    order = np.argsort(ranked)
    sums = np.cumsum(weights[order])
    reached = int(np.searchsorted(sums, uniform(sampling.seed, position) * sums[-1], side="right"))  # 6
    return int(ranked[order[min(reached, len(order) - 1)]])


def likely(weights: Array, min_p: float) -> int:
    """Return how many first weights, which fall, are at least min_p; at least one (LLQ-GEN-11, step 5)."""
    return max(int((weights >= float(np.float32(min_p))).sum()), 1)


def uniform(seed: int, position: int) -> float:
    """Return the random number of a position, a multiple of 2^-24 below 1 (step 5)."""
    return (philox(position, seed)[0] >> 8) * 2.0**-24


def philox(position: int, seed: int) -> tuple[int, int, int, int]:
    """Return the words of Philox4x32-10 for counter (position, 0, 0, 0) and a key of 64 bits."""
    counter = (position & _MASK, 0, 0, 0)
    key = (seed & _MASK, seed >> 32 & _MASK)
    for _ in range(10):
        x, z = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
        counter = (z >> 32 ^ counter[1] ^ key[0], z & _MASK, x >> 32 ^ counter[3] ^ key[1], x & _MASK)
        key = (key[0] + 0x9E3779B9 & _MASK, key[1] + 0xBB67AE85 & _MASK)
    return counter
