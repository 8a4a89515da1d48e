"""Mutants of feed-forward networks and mixtures of experts (DEC-12 to DEC-15)."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from llq_format.reference import moe, ops
from llq_format.reference.activations import Array, round_binary16
from llq_format.reference.ffn import FFN
from llq_format.reference.observation import Observe, unobserved, within

from .mutant import mutant
from .seam import Seam


def _gated(seam: Seam, combine: Callable[[FFN, Array], Array]) -> None:
    """Combine the rows of gate_up, [tokens, 2 · intermediate], in another way before `down`."""

    def mutate(hidden: Callable[[FFN, Array], Array]) -> Callable[[FFN, Array], Array]:
        return lambda self, rows: combine(self, rows) if self.gated else hidden(self, rows)

    seam.wrap(FFN, "hidden", mutate)


def _halves(hidden: Array) -> list[Array]:
    return np.split(hidden, 2, axis=-1)


@mutant("gate and up swapped", "DEC-12")
def gate_up_swapped(seam: Seam) -> None:
    _gated(seam, lambda ffn, h: ffn.activation(_halves(h)[1]) * _halves(h)[0])


@mutant("gate and up in alternating rows", "DEC-12")
def gate_up_alternating(seam: Seam) -> None:
    _gated(seam, lambda ffn, h: ffn.activation(h[:, ::2]) * h[:, 1::2])


@mutant("gate and up added, not multiplied", "DEC-12")
def gate_up_added(seam: Seam) -> None:
    _gated(seam, lambda ffn, h: ffn.activation(_halves(h)[0]) + _halves(h)[1])


@mutant("the activation function on gate and up", "DEC-12")
def activation_on_both(seam: Seam) -> None:
    _gated(seam, lambda ffn, h: ffn.activation(_halves(h)[0]) * ffn.activation(_halves(h)[1]))


@mutant("no activation function on gate", "DEC-12")
def activation_missing(seam: Seam) -> None:
    _gated(seam, lambda _ffn, h: _halves(h)[0] * _halves(h)[1])


def tanh_gelu(z: Array) -> Array:
    """Return gelu's approximation by tanh."""
    return np.asarray(z / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))))


@mutant("gelu approximated by tanh", "DEC-13")
def gelu_by_tanh(seam: Seam) -> None:
    seam.item(ops.ACTIVATIONS, "gelu", tanh_gelu)


@mutant("gelu approximated by sigmoid", "DEC-13")
def gelu_by_sigmoid(seam: Seam) -> None:
    seam.item(ops.ACTIVATIONS, "gelu", lambda z: z * ops.sigmoid(1.702 * z))


@mutant("silu in place of gelu", "DEC-13")
def silu_throughout(seam: Seam) -> None:
    seam.item(ops.ACTIVATIONS, "gelu", ops.silu)


@mutant("relu for gelu", "DEC-13")
def relu_for_gelu(seam: Seam) -> None:
    seam.item(ops.ACTIVATIONS, "gelu", lambda z: np.maximum(z, 0))


@mutant("gelu in place of silu", "DEC-12")
def gelu_throughout(seam: Seam) -> None:
    seam.item(ops.ACTIVATIONS, "silu", ops.gelu)


@mutant("gelu by tanh in place of silu", "DEC-12")
def tanh_gelu_for_silu(seam: Seam) -> None:
    seam.item(ops.ACTIVATIONS, "silu", tanh_gelu)


def _route(seam: Seam, choose: Callable[[Array], tuple[NDArray[np.intp], Array]]) -> None:
    """Choose experts from the router's values, float64 [tokens, num_experts], in another way."""
    seam.replace(moe, "choose", choose)


@mutant("score by softmax, not sigmoid", "DEC-14")
def router_softmax(seam: Seam) -> None:
    _route(seam, lambda values: (values.argmax(axis=-1), ops.softmax(values).max(axis=-1)))


@mutant("score renormalized to 1", "DEC-14")
def score_1(seam: Seam) -> None:
    _route(seam, lambda values: (values.argmax(axis=-1), np.ones(len(values))))


@mutant("last of equal experts", "DEC-14")
def router_last_of_equals(seam: Seam) -> None:
    def last_expert(values: Array) -> tuple[NDArray[np.intp], Array]:
        experts = values.shape[1] - 1 - values[:, ::-1].argmax(axis=-1)
        return experts, ops.sigmoid(values.max(axis=-1))

    _route(seam, last_expert)


@mutant("second expert, not the first", "DEC-14")
def router_second(seam: Seam) -> None:
    def second_expert(values: Array) -> tuple[NDArray[np.intp], Array]:
        experts = values.argsort(axis=-1)[:, -2]
        return experts, ops.sigmoid(values[np.arange(len(values)), experts])

    _route(seam, second_expert)


@mutant("expert with the largest magnitude", "DEC-14")
def router_by_magnitude(seam: Seam) -> None:
    def magnitude(values: Array) -> tuple[NDArray[np.intp], Array]:
        experts = np.abs(values).argmax(axis=-1)
        return experts, ops.sigmoid(values[np.arange(len(values)), experts])

    _route(seam, magnitude)


@mutant("the expert of the first position for all of a step", "DEC-14")
def router_of_first_position(seam: Seam) -> None:
    def first_expert(values: Array) -> tuple[NDArray[np.intp], Array]:
        experts = np.repeat(values[:1].argmax(axis=-1), len(values))
        return experts, ops.sigmoid(values[np.arange(len(values)), experts])

    _route(seam, first_expert)


Mixed = Callable[[Array, Array, Array], Array]
"""From what the shared and the routed experts give and the scores, [tokens, 1], to the output."""


def _mixed(seam: Seam, mix: Mixed) -> None:
    seam.replace(moe.MoE, "mixed", lambda _self, shared, routed, s: mix(shared, routed, s[:, None]))


@mutant("score on the expert's output", "DEC-14")
def score_on_output(seam: Seam) -> None:
    seam.replace(moe.MoE, "scaled", lambda _self, _scores, x: x)
    _mixed(seam, lambda shared, routed, scores: shared + scores * routed)


@mutant("score on the expert's input and output", "DEC-14")
def score_on_both_ends(seam: Seam) -> None:
    _mixed(seam, lambda shared, routed, scores: shared + scores * routed)


@mutant("expert's input rounded to binary16 before the score too", "ACT-10")
def score_on_rounded_input(seam: Seam) -> None:
    seam.replace(moe.MoE, "scaled", lambda _self, scores, x: scores[:, None] * round_binary16(x))


@mutant("no shared expert", "DEC-15")
def shared_expert_missing(seam: Seam) -> None:
    _mixed(seam, lambda _shared, routed, _scores: routed)


@mutant("score on the shared expert's input too", "DEC-15")
def score_on_shared_expert(seam: Seam) -> None:
    def call(self: moe.MoE, x: Array, observe: Observe = unobserved) -> Array:
        experts, scores = self.route(x, observe)
        scaled = observe("scaled", self.scaled(scores, x))
        shared = self.shared(scaled, within(observe, "shared"))
        rows = [
            self.experts[expert](scaled[token : token + 1], within(observe, "experts"))
            for token, expert in enumerate(experts)
        ]
        return observe("mixture", self.mixed(shared, np.concatenate(rows), scores))

    seam.replace(moe.MoE, "__call__", call)


@mutant("half of the shared and half of the chosen expert", "DEC-15")
def mixture_averaged(seam: Seam) -> None:
    _mixed(seam, lambda shared, routed, _scores: (shared + routed) / 2)


@mutant("the shared expert alone", "DEC-15")
def shared_expert_alone(seam: Seam) -> None:
    _mixed(seam, lambda shared, _routed, _scores: shared)
