"""Mixture of experts (spec: Decoder, LLQ-DEC-14 and LLQ-DEC-15)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from llq_format.reference.activations import Array
from llq_format.reference.ffn import FFN
from llq_format.reference.ops import sigmoid


def route(router: Array, x: Array) -> tuple[NDArray[np.intp], Array]:
    """Return the selected expert of each token, int [tokens], and its score, [tokens] (LLQ-DEC-14).

    router: the router's weights, [num_experts, hidden].
    """
    values = x @ router.T
    experts = values.argmax(axis=-1)  # the first of equal values
    return experts, sigmoid(values[np.arange(len(x)), experts])


class MoE:
    """One shared expert and one routed expert."""

    def __init__(self, router: Array, experts: Sequence[FFN], shared: FFN) -> None:
        """Keep the router's weights, float64 [num_experts, hidden], and the experts."""
        self.router = router
        self.experts = experts
        self.shared = shared

    def __call__(self, x: Array) -> Array:
        """Return moe(x), float64 [tokens, hidden]."""
        experts, scores = self.route(x)
        routed = np.empty_like(x)
        for token, expert in enumerate(experts):
            routed[token] = self.experts[expert]((scores[token] * x[token])[None])[0]
        return self.shared(x) + routed

    def route(self, x: Array) -> tuple[NDArray[np.intp], Array]:
        """Return the chosen expert of each token and its score."""
        return route(self.router, x)
