"""A recorder of the intermediate results of the reference decoder, by name and for all positions."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

LONGEST_SQUARE = 64
"""Maximum number of tokens for which `scores` and `weights` are returned: they grow with its square."""

Reals = NDArray[np.float64]


class TraceRecorder:
    """An observer that keeps what it sees: rows of positions in their order, of a cache the last state."""

    def __init__(self, tokens: int) -> None:
        """Begin a sequence of this number of tokens."""
        self._tokens = tokens
        self._rows: dict[str, list[Reals]] = {}

    def __call__(self, name: str, value: Reals) -> Reals:
        """Keep the result of an operation and return it."""
        kind = name.rsplit(".", 1)[-1]
        rows = self._rows.setdefault(name, [])
        if kind in ("keys", "values"):
            rows.clear()
        if kind in ("scores", "weights"):
            if self._tokens > LONGEST_SQUARE:
                return value
            rows.append(np.pad(value, ((0, 0), (0, 0), (0, self._tokens - value.shape[2]))))
        else:
            rows.append(np.array(value))
        return value

    def tensors(self) -> Mapping[str, Reals]:
        """Return the tensors by name, float64."""
        return {name: np.concatenate(rows) for name, rows in self._rows.items() if rows}
