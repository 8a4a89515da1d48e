"""Mixture of experts (spec: Decoder, LLQ-DEC-14 and LLQ-DEC-15)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from llq_format.reference.activations import Array
from llq_format.reference.ffn import FFN
from llq_format.reference.observation import Observe, unobserved, within
from llq_format.reference.ops import sigmoid


def choose(values: Array) -> tuple[NDArray[np.intp], Array]:
    """Return the selected expert of each token, int [tokens], and its score, [tokens] (LLQ-DEC-14).

    values: what the router gives, [tokens, num_experts].
    """
    experts = values.argmax(axis=-1)  # the first of equal values
    return experts, sigmoid(values[np.arange(len(values)), experts])


class MoE:
    """One shared expert and one routed expert."""

    def __init__(self, router: Array, experts: Sequence[FFN], shared: FFN) -> None:
        """Keep the router's weights, float64 [num_experts, hidden], and the experts."""
        self.router = router
        self.experts = experts
        self.shared = shared

    def __call__(self, x: Array, observe: Observe = unobserved) -> Array:
        """Return moe(x), float64 [tokens, hidden]."""
        experts, scores = self.route(x, observe)
        scaled = observe("scaled", self.scaled(scores, x))
        shared = self.shared(x, within(observe, "shared"))
        routed = np.empty_like(x)
        for token, expert in enumerate(experts):
            routed[token] = self.experts[expert](scaled[token][None], within(observe, "experts"))[0]
        return observe("mixture", self.mixed(shared, routed, scores))

    def route(self, x: Array, observe: Observe = unobserved) -> tuple[NDArray[np.intp], Array]:
        """Return the chosen expert of each token and its score."""
        experts, scores = choose(observe("router", x @ self.router.T))
        experts = observe("expert", experts.astype(np.float64)).astype(np.intp)
        return experts, observe("score", scores)

    def scaled(self, scores: Array, x: Array) -> Array:
        """Return the inputs of the routed experts, [tokens, hidden]."""
        return scores[:, None] * x

    def mixed(self, shared: Array, routed: Array, _scores: Array) -> Array:
        """Return the sum of what the shared and the routed experts give."""
        return shared + routed
