"""Feed-forward networks (spec: Decoder, FFN; LLQ-DEC-12)."""

from collections.abc import Callable

from llq_format.reference.activations import Array
from llq_format.reference.matrix import Matrix


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

    def __call__(self, x: Array) -> Array:
        """Return ffn(x), [tokens, hidden]."""
        hidden = self.first(x)
        if not self.gated:
            return self.down(self.activation(hidden))
        size = hidden.shape[-1] // 2
        gate, up = hidden[:, :size], hidden[:, size:]
        return self.down(self.activation(gate) * up)
