"""Balls: real numbers that are known up to a radius, as arrays."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]

U = 2.0**-24
"""Unit roundoff of binary32."""

TINY = 2.0**-126
"""Smallest normal number of binary32: a term below it may be flushed to zero (LLQ-NUM-9)."""


@dataclass(frozen=True)
class Ball:
    """Values, each with its radius: the exact results, and how far legal results may be from them."""

    value: Reals
    radius: Reals

    def __post_init__(self) -> None:
        """Take an undefined radius, such as 0 · ∞, for an unlimited one."""
        object.__setattr__(self, "radius", np.where(np.isnan(self.radius), np.inf, self.radius))

    @classmethod
    def exact(cls, value: NDArray[np.floating]) -> "Ball":
        """Return values that are known exactly, such as values that a runtime returned."""
        reals = np.asarray(value, np.float64)
        return cls(reals, np.zeros_like(reals))

    def widened(self, radius: Reals | float) -> "Ball":
        """Return the same values with a radius that is greater by this."""
        return Ball(self.value, self.radius + radius)

    def __getitem__(self, index: Any) -> "Ball":
        """Return a part of the values."""
        return Ball(self.value[index], self.radius[index])

    def reshape(self, *shape: int) -> "Ball":
        """Return the values in another shape."""
        return Ball(self.value.reshape(shape), self.radius.reshape(shape))

    @property
    def magnitude(self) -> Reals:
        """Maximum magnitude of each value."""
        return np.abs(self.value) + self.radius

    def outside(self, found: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return which numbers are outside their balls; NaN and infinity always are."""
        with np.errstate(invalid="ignore", over="ignore"):
            return np.asarray(~np.isfinite(found) | (np.abs(found - self.value) > self.radius))


def concatenated(balls: "list[Ball]") -> Ball:
    """Return balls one after another along the first axis."""
    return Ball(np.concatenate([ball.value for ball in balls]), np.concatenate([b.radius for b in balls]))


def product(a: Ball, b: Ball) -> Ball:
    """Return a · b, with the propagated radius alone."""
    return Ball(
        a.value * b.value, np.abs(a.value) * b.radius + np.abs(b.value) * a.radius + a.radius * b.radius
    )


def total(*terms: Ball) -> Ball:
    """Return a sum of terms, added in any order: (n − 1) · u · Σ|terms|."""
    roundings = len(terms) - 1
    magnitude = sum((term.magnitude for term in terms), np.zeros(()))
    radius = sum((term.radius for term in terms), np.zeros(())) + roundings * U * magnitude + 8 * TINY
    return Ball(sum((term.value for term in terms), np.zeros(())), radius)


def gamma(roundings: int) -> float:
    """Return the relative error of a sum with this number of roundings on its longest path."""
    return roundings * U / (1 - roundings * U)
