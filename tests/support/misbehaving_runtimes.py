"""Runtimes of tests of the suite alone: misreadings by name, and answers that are late or of a wrong type."""

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conformance.container.decoding import Reading
from conformance.container.misreadings import MISREADINGS
from conformance.container.package import read_tensor
from examples.python.miniatures import Right


class Misread(Right):
    """Takes some sentences of the format another way: the misreadings of these names."""

    def __init__(self, *names: str) -> None:
        """Replace steps of the right reading; of several variants of a name the first is taken."""
        steps = {
            misreading.step: misreading.replacement
            for misreading in reversed(MISREADINGS)
            if misreading.name in names
        }
        self._reading = Reading(**steps)

    def decode(self, package: Path, tensor: str) -> NDArray[np.float32]:
        """Return the weights, misread."""
        return self._reading(read_tensor(package, tensor))


class Doubles(Right):
    """Has an adapter that forgets to convert."""

    def decode(self, package: Path, tensor: str) -> NDArray[np.float32]:
        """Return float64."""
        weights: NDArray[np.float32] = super().decode(package, tensor).astype(np.float64)
        return weights


class Raises(Right):
    """Raises an exception for every request."""

    def decode(self, package: Path, tensor: str) -> NDArray[np.float32]:
        """Fail."""
        raise KeyError(f"{tensor} of {package.name}")


class Sleeps(Right):
    """Never answers."""

    def decode(self, package: Path, tensor: str) -> NDArray[np.float32]:
        """Wait for an hour."""
        time.sleep(3600)
        return super().decode(package, tensor)
