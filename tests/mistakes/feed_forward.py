"""Mistakes in feed-forward networks and mixtures of experts (DEC-12 to DEC-15)."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from llq_format.reference import ffn, moe, ops
from llq_format.reference.activations import Array, round_binary16
from tests.mistakes.mistake import Patch, mistake


@mistake("gate and up swapped", "LLQ-DEC-12")
def _(patch: Patch) -> None:
    def call(self: ffn.FFN, x: Array) -> Array:
        hidden = self.first(x)
        if not self.gated:
            return self.down(self.activation(hidden))
        up, gate = np.split(hidden, 2, axis=-1)
        return self.down(self.activation(gate) * up)

    patch.setattr(ffn.FFN, "__call__", call)


@mistake("gate and up in alternating rows", "LLQ-DEC-12")
def _(patch: Patch) -> None:
    def call(self: ffn.FFN, x: Array) -> Array:
        hidden = self.first(x)
        if not self.gated:
            return self.down(self.activation(hidden))
        return self.down(self.activation(hidden[:, ::2]) * hidden[:, 1::2])

    patch.setattr(ffn.FFN, "__call__", call)


@mistake("gelu by tanh", "LLQ-DEC-13")
def _(patch: Patch) -> None:
    patch.setitem(
        ops.ACTIVATIONS,
        "gelu",
        lambda z: z / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))),
    )


@mistake("gelu by sigmoid", "LLQ-DEC-13")
def _(patch: Patch) -> None:
    patch.setitem(ops.ACTIVATIONS, "gelu", lambda z: z * ops.sigmoid(1.702 * z))


@mistake("silu throughout", "LLQ-DEC-13")
def _(patch: Patch) -> None:
    patch.setitem(ops.ACTIVATIONS, "gelu", ops.silu)


@mistake("gelu throughout", "LLQ-DEC-12")
def _(patch: Patch) -> None:
    patch.setitem(ops.ACTIVATIONS, "silu", ops.gelu)


def _route(patch: Patch, wrong: Callable[[Array], tuple[NDArray[np.intp], Array]]) -> None:
    """Choose experts from the router's values, float64 [tokens, num_experts], in another way."""
    patch.setattr(moe.MoE, "route", lambda self, x: wrong(x @ self.router.T))


@mistake("router with softmax", "LLQ-DEC-14")
def _(patch: Patch) -> None:
    _route(patch, lambda values: (values.argmax(axis=-1), ops.softmax(values).max(axis=-1)))


@mistake("score renormalized to 1", "LLQ-DEC-14")
def _(patch: Patch) -> None:
    _route(patch, lambda values: (values.argmax(axis=-1), np.ones(len(values))))


@mistake("last of equal experts", "LLQ-DEC-14")
def _(patch: Patch) -> None:
    _route(
        patch,
        lambda values: (
            values.shape[1] - 1 - values[:, ::-1].argmax(axis=-1),
            ops.sigmoid(values.max(axis=-1)),
        ),
    )


@mistake("second expert", "LLQ-DEC-14")
def _(patch: Patch) -> None:
    def second(values: Array) -> tuple[NDArray[np.intp], Array]:
        chosen = values.argsort(axis=-1)[:, -2]
        return chosen, ops.sigmoid(values[np.arange(len(values)), chosen])

    _route(patch, second)


@mistake("input of the router in binary16", "LLQ-NUM-4")
def _(patch: Patch) -> None:
    right = moe.MoE.route
    patch.setattr(moe.MoE, "route", lambda self, x: right(self, round_binary16(x)))


def _mixture(patch: Patch, wrong: Callable[[moe.MoE, Array, ffn.FFN, float], Array]) -> None:
    """Compute the mixture of one token, [1, hidden], in another way."""

    def call(self: moe.MoE, x: Array) -> Array:
        chosen, scores = self.route(x)
        tokens = range(len(x))
        return np.concatenate(
            [wrong(self, x[i : i + 1], self.experts[chosen[i]], float(scores[i])) for i in tokens]
        )

    patch.setattr(moe.MoE, "__call__", call)


@mistake("score on the expert's output", "LLQ-DEC-14")
def _(patch: Patch) -> None:
    _mixture(patch, lambda self, x, expert, score: self.shared(x) + score * expert(x))


@mistake("no shared expert", "LLQ-DEC-15")
def _(patch: Patch) -> None:
    _mixture(patch, lambda _, x, expert, score: expert(score * x))


@mistake("score on the shared expert's input", "LLQ-DEC-15")
def _(patch: Patch) -> None:
    _mixture(patch, lambda self, x, expert, score: self.shared(score * x) + expert(score * x))


@mistake("half of each", "LLQ-DEC-15")
def _(patch: Patch) -> None:
    _mixture(patch, lambda self, x, expert, score: (self.shared(x) + expert(score * x)) / 2)
