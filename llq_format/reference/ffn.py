"""Feed-forward networks (spec: Decoder, FFN; LLQ-DEC-12)."""

from collections.abc import Callable

import numpy as np

from llq_format.reference.activations import Array
from llq_format.reference.matrix import Matrix
from llq_format.reference.observation import Observe, project, unobserved


class FFN:
    """down(act(gate x) ⊙ up x), or down(act(up x))."""

    def __init__(
        self, first: Matrix, down: Matrix, activation: Callable[[Array], Array], *, gated: bool
    ) -> None:
        """Keep gate_up, or up if there is no gate, down, and the activation function."""
        self.first = first
        self.down = down
        self.activation = activation
        self.gated = gated

    def __call__(self, x: Array, observe: Observe = unobserved) -> Array:
        """Return ffn(x), [tokens, hidden]."""
        rows = project(self.first, "gate_up" if self.gated else "up", x, observe)
        return project(self.down, "down", observe("hidden", self.hidden(rows)), observe)

    def hidden(self, rows: Array) -> Array:
        """Return what `down` multiplies, from the rows of gate and up, or of up alone."""
        return combine(rows, self.activation, gated=self.gated)


def combine(rows: Array, activation: Callable[[Array], Array], *, gated: bool) -> Array:
    """Return act(gate) ⊙ up or act(up), [tokens, intermediate size] (LLQ-DEC-12)."""
    if not gated:
        return activation(rows)
    gate, up = np.split(rows, 2, axis=-1)
    return activation(gate) * up
