"""Feed-forward networks (spec: Decoder, FFN; LLQ-DEC-12)."""

from typing import Literal

from llq_format.reference.activations import Array
from llq_format.reference.matrix import Matrix
from llq_format.reference.ops import ACTIVATIONS


class FFN:
    """down(act(gate x) ⊙ up x), or down(act(up x))."""

    def __init__(
        self, first: Matrix, down: Matrix, activation: Literal["silu", "gelu"], *, gated: bool
    ) -> None:
        self.first = first
        self.down = down
        self.activation = ACTIVATIONS[activation]
        self.gated = gated

    def __call__(self, x: Array) -> Array:
        """Return ffn(x), float64 [tokens, hidden]."""
        hidden = self.first(x)
        if not self.gated:
            return self.down(self.activation(hidden))
        size = hidden.shape[-1] // 2
        gate, up = hidden[:, :size], hidden[:, size:]
        return self.down(self.activation(gate) * up)
