"""Estimates with their 95 % intervals.

Tokens of a sequence are correlated, so the sample consists of sequences. An interval is the confidence
interval of the mean of the sequences' means, by Student's distribution. It estimates what other text of the
same kind would give.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llq_format.reference.batch import Floats

_NORMAL = 1.959964  # the 97.5 % quantile of the normal distribution


@dataclass(frozen=True)
class Estimate:
    """An estimate and the ends of its interval; both ends are None for a single sequence."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Score:
    """Scores of an execution compared with the original's.

    perplexity: perplexity of the text; change: its ratio to the original's perplexity minus 1, paired by
    sequence; divergence: the mean Kullback-Leibler divergence from the original's distribution, in nats;
    divergence_99: its 99th percentile over tokens; same_top: share of positions with the original's top-1
    token.
    """

    perplexity: Estimate
    change: Estimate
    divergence: Estimate
    divergence_99: float
    same_top: Estimate

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON value."""
        return asdict(self)


@dataclass
class Positions:
    """Values for each position except the last, which predicts nothing, [sequences, positions]."""

    losses: NDArray[np.float64]
    divergences: NDArray[np.float64]
    same: NDArray[np.bool_]

    def score(self, original_losses: NDArray[np.float64]) -> Score:
        """Return the score against the original's losses, [sequences, positions]."""
        return Score(
            _exponential(estimate(self.losses)),
            _less_one(_exponential(estimate(self.losses - original_losses))),
            estimate(self.divergences),
            float(np.quantile(self.divergences, 0.99)),
            estimate(self.same.astype(np.float64)),
        )


def estimate(values: NDArray[np.float64]) -> Estimate:
    """Return the mean of values [sequences, positions] with its interval."""
    means = values.mean(axis=1)
    mean, count = float(means.mean()), len(means)
    if count == 1:
        return Estimate(mean, None, None)
    margin = student(count - 1) * float(means.std(ddof=1)) / math.sqrt(count)
    return Estimate(mean, mean - margin, mean + margin)


def student(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's distribution (Abramowitz and Stegun 26.7.5, to its third term).

    The quantile is exact for one and two degrees of freedom, where the expansion is wrong by more than 10 %.
    """
    if freedom <= 2:
        return (12.706205, 4.302653)[freedom - 1]
    z = _NORMAL
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


def log_softmax(logits: Floats) -> NDArray[np.float64]:
    """Return the logarithms of the softmax along the last axis."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def relative_error(exact: Floats, approximate: Floats) -> float:
    """Return the squared norm of the difference, divided by the squared norm of `exact`."""
    energy = float(np.square(exact, dtype=np.float64).sum())
    return float(np.square(approximate - exact, dtype=np.float64).sum()) / energy if energy else 0.0


def _exponential(value: Estimate) -> Estimate:
    low, high = (None if end is None else math.exp(end) for end in (value.low, value.high))
    return Estimate(math.exp(value.value), low, high)


def _less_one(value: Estimate) -> Estimate:
    low, high = (None if end is None else end - 1 for end in (value.low, value.high))
    return Estimate(value.value - 1, low, high)
