"""The seeded sampler in binary64, step by step as the header of sample.wgsl has it."""

from dataclasses import dataclass

import numpy as np

from tests.support.webgpu.kernel_bench import Array

_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)


def philox(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the four words of Philox4x32-10."""
    a, b, c, d = counter
    k, m = key
    for _ in range(10):
        x, z = _MULTIPLIERS[0] * a, _MULTIPLIERS[1] * c
        a, b, c, d = (z >> 32) ^ b ^ k, z & 0xFFFFFFFF, (x >> 32) ^ d ^ m, x & 0xFFFFFFFF
        k, m = (k + _WEYL[0]) & 0xFFFFFFFF, (m + _WEYL[1]) & 0xFFFFFFFF
    return a, b, c, d


@dataclass(frozen=True)
class Sampling:
    """The settings of a sampler."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    @property
    def words(self) -> Array:
        """The buffer `sampling`."""
        words = np.full(64, 0xFFFFFFFF, np.uint32)
        words[0] = np.float32(self.temperature).view(np.uint32)
        words[1] = self.top_k
        words[2] = np.float32(self.top_p).view(np.uint32)
        words[3], words[4] = self.seed & 0xFFFFFFFF, self.seed >> 32
        return words


def sampled_weights(logits: Array, settings: Sampling, slack: float = 0.0) -> Array:
    """Return the weights of all ids [vocab], 0 for those excluded; slack: relative addition to top_p."""
    wide = logits.astype(np.float64) + 0.0
    order = np.argsort(-wide, kind="stable")
    if settings.temperature < 2.0**-60:
        order = order[:1]
    elif settings.top_k:
        order = order[: settings.top_k]
    temperature = max(float(np.float32(settings.temperature)), 2.0**-60)
    weights = np.exp(np.maximum((wide[order] - wide.max()) / temperature, -87))
    if settings.top_p < 1:
        goal = float(np.float32(settings.top_p)) * weights.sum() * (1 + slack)
        count = int(np.searchsorted(np.cumsum(weights), goal)) + 1
        order, weights = order[:count], weights[:count]
    result = np.zeros(wide.size)
    result[order] = weights
    return result


def draw(weights: Array, u: float) -> int:
    """Return the lowest id whose cumulative weight exceeds u times the sum."""
    return int(np.searchsorted(np.cumsum(weights), u * weights.sum(), side="right"))


def uniform(position: int, seed: int) -> float:
    """Return the random number of a position."""
    return (philox((position, 0, 0, 0), (seed & 0xFFFFFFFF, seed >> 32))[0] >> 8) * 2.0**-24


def legal(logits: Array, settings: Sampling, position: int, rounding: float = 2.0**-18) -> set[int]:
    """Return the tokens that may be chosen: one, or those next to a boundary that is within rounding."""
    u = uniform(position, settings.seed)
    return {
        draw(weights, min(max(u + side, 0.0), 1 - 2.0**-24))
        for slack in (-rounding, 0.0, rounding)
        for weights in (sampled_weights(logits, settings, slack),)
        for side in (-rounding, 0.0, rounding)
    }
