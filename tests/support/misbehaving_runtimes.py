"""Deliberately small and deliberately wrong runtimes: the suite shows on them that it tells right from wrong.

Try one: pytest conformance --runtime=py:tests.support.miniatures:NibblePairs
"""

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conformance.container.decoding import Reading
from conformance.container.misreadings import MISREADINGS
from conformance.container.package import read_tensor
from conformance.core.runtime import Info, Verdict


class Right:
    """Decodes as the suite itself reads packages; claims nothing else."""

    capabilities = frozenset({"decode"})

    @property
    def info(self) -> Info:
        """Return the name of the class."""
        return Info(type(self).__name__, "0", "Python")

    def decode(self, package: Path, tensor: str) -> NDArray[np.float32]:
        """Return the weights."""
        return Reading()(read_tensor(package, tensor))


class Misread(Right):
    """Takes some sentences of the format another way: the misreadings of these names."""

    def __init__(self, *names: str) -> None:
        """Replace steps of the right reading; of several variants of a name the first is taken."""
        steps = {one.step: one.replacement for one in reversed(MISREADINGS) if one.name in names}
        self._reading = Reading(**steps)

    def decode(self, package: Path, tensor: str) -> NDArray[np.float32]:
        """Return the weights, misread."""
        return self._reading(read_tensor(package, tensor))


class NibblePairs(Misread):
    """Takes a block for 2048 bytes of two codes each, as most formats have it."""

    def __init__(self) -> None:
        """Choose the misreading."""
        super().__init__("nibble pairs, even column in the low nibble")


class MinusZero(Right):
    """Computes scale · zero_point − scale · q and negates it, so that zeros become −0."""

    def decode(self, package: Path, tensor: str) -> NDArray[np.float32]:
        """Return the weights, and −0 for 0."""
        weights = super().decode(package, tensor)
        return np.where(weights == 0, np.float32(-0.0), weights)


class Zeros(Right):
    """Returns buffers that nobody filled."""

    def decode(self, package: Path, tensor: str) -> NDArray[np.float32]:
        """Return zeros of the right shape."""
        return np.zeros_like(super().decode(package, tensor))


class Noise(Right):
    """Returns weights of no meaning."""

    def decode(self, package: Path, tensor: str) -> NDArray[np.float32]:
        """Return noise of the right shape, the same each time."""
        shape = super().decode(package, tensor).shape
        return np.random.default_rng(1).standard_normal(shape, np.float32)


class Doubles(Right):
    """Has an adapter that forgets to convert."""

    def decode(self, package: Path, tensor: str) -> NDArray[np.float32]:
        """Return float64."""
        weights: NDArray[np.float32] = super().decode(package, tensor).astype(np.float64)
        return weights


class Raises(Right):
    """Raises an exception whatever it is asked."""

    def decode(self, package: Path, tensor: str) -> NDArray[np.float32]:
        """Fail."""
        raise KeyError(f"{tensor} of {package.name}")


class Sleeps(Right):
    """Never answers."""

    def decode(self, package: Path, tensor: str) -> NDArray[np.float32]:
        """Wait for an hour."""
        time.sleep(3600)
        return super().decode(package, tensor)


class AcceptsAll(Right):
    """Claims to refuse what breaks a rule, and does not look."""

    capabilities = frozenset({"decode", "reject"})

    def validate(self, package: Path) -> Verdict:  # noqa: ARG002 - not looked at, that is the point
        """Accept."""
        return Verdict()


class RefusesAll(AcceptsAll):
    """Refuses every package, and for the same rule."""

    def validate(self, package: Path) -> Verdict:  # noqa: ARG002
        """Refuse."""
        return Verdict(("LLQ-PKG-1",))
