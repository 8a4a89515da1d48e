"""One operation of the decoder: what a runtime returned for it, and what its inputs allow."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .ball import Ball


@dataclass(frozen=True)
class Operation:
    """A traced result.

    name: the name of the tensor, such as `layers.0.attention.qkv`.
    rules: the rules of the operation; its failure cites the first.
    axes: names of the indices.
    expected: the exact result for the inputs that the runtime returned, with the error bound.
    found: what the runtime returned. compared: the elements that count.
    """

    name: str
    rules: tuple[str, ...]
    axes: tuple[str, ...]
    expected: Ball
    found: NDArray[np.floating]
    compared: NDArray[np.bool_]

    @property
    def of_right_shape(self) -> bool:
        """Whether the result has the shape that the protocol states."""
        return self.found.shape == self.expected.value.shape

    @property
    def outside(self) -> NDArray[np.bool_]:
        """Which elements are outside their error bounds."""
        return self.expected.outside(self.found) & self.compared

    @property
    def wrong(self) -> bool:
        """Whether the result has another shape, or an element outside its error bound."""
        return not self.of_right_shape or bool(self.outside.any())
