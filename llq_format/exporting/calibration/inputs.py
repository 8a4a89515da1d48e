"""Statistics of the inputs of a layer's matrices."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llq_format.reference.batch import Floats

_RUN = 4096  # vectors summed in float32 before float64 takes over


def gram(x: Floats, y: Floats | None = None) -> NDArray[np.float64]:
    """Return Σ x yᵀ over vectors, float64 [cols of x, cols of y]; y is x by default."""
    right = x if y is None else y
    total = np.zeros((x.shape[1], right.shape[1]))
    for first in range(0, len(x), _RUN):
        total += x[first : first + _RUN].T @ right[first : first + _RUN]
    return total


@dataclass(frozen=True)
class Inputs:
    """The inputs of one matrix: the Hessian Σ x xᵀ and the mean magnitude of each column."""

    hessian: NDArray[np.float64]
    magnitudes: NDArray[np.float64]


class Recorder:
    """Multiplies by a layer's weights and records the inputs of its matrices."""

    def __init__(self, weights: Mapping[str, Floats]) -> None:
        self._weights = weights
        self.inputs: dict[str, Inputs] = {}

    def __call__(self, name: str, x: Floats, tokens: NDArray[np.intp] | None) -> Floats:  # noqa: ARG002
        """Return y = W x for vectors x [n, cols]."""
        self.inputs[name] = Inputs(gram(x), np.abs(x).mean(axis=0, dtype=np.float64))
        return x @ self._weights[name].T
