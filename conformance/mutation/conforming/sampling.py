"""Conforming variants of sampled choice: what GEN-8 leaves open, done otherwise."""

from collections.abc import Callable
from typing import Any

import numpy as np

from llq_format.reference.activations import Array

from ..mutants.sampled_choice import replace_steps
from ..mutants.seam import Seam

LIMIT = 0.99 * 2.0**-12
"""Nearly the largest change of u and top_p that GEN-8 permits."""

LANES = 256
"""Number of invocations that add a run of weights each."""

FLOOR = float(np.exp(-87))
"""The smallest weight that some kernels compute."""


def in_binary32(seam: Seam) -> None:
    """Compute weights and sums in binary32."""
    replace_steps(seam, weigh=lambda weights: weights.astype(np.float32))


def in_lanes(seam: Seam) -> None:
    """Add runs of weights in binary32, then the sums of the runs."""

    def sums(weights: Array) -> Any:
        runs = np.array_split(weights.astype(np.float32), min(LANES, len(weights)))
        totals = np.cumsum([0.0, *(run.sum() for run in runs)], dtype=np.float32)
        return np.concatenate([total + np.cumsum(run) for total, run in zip(totals, runs, strict=False)])

    replace_steps(seam, sums=sums)


def by_probabilities(seam: Seam) -> None:
    """Divide the weights by their sum first, as a softmax does."""
    replace_steps(seam, weigh=lambda weights: weights / weights.sum())


def with_a_floor(seam: Seam) -> None:
    """Give each kept id a weight of at least e^-87."""
    replace_steps(seam, weigh=lambda weights: np.maximum(weights, FLOOR))


def at_limits(u: int, top_p: int) -> Callable[[Seam], None]:
    """Return a variant that moves u and top_p nearly as far as GEN-8 permits, up (1) or down (-1)."""

    def mutate(seam: Seam) -> None:
        replace_steps(
            seam,
            u=lambda exact: min(max(exact + u * LIMIT, 0.0), 1 - 2.0**-24),
            top_p=lambda exact: max(exact + top_p * LIMIT, 0.0),
        )

    return mutate
