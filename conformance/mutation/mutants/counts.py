"""Mutants of counts: right as long as there are few layers, experts, heads and tokens."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from llq_format.reference import attention, forward, generation, matrix, moe
from llq_format.reference.activations import Array
from llq_format.reference.attention import Attention, KVCache
from llq_format.reference.forward import Decoder

from .composed_matrix import ComposedMatrix
from .mutant import mutant
from .seam import Seam

FEW = 4
"""The number that the mutants of this module take for the maximum, if no other is given."""


def _split(seam: Seam, change: Callable[[Attention, Array, Array, Array], Any]) -> None:
    def mutate(split: Callable[..., tuple[Array, Array, Array]]) -> Callable[..., Any]:
        return lambda self, qkv: change(self, *split(self, qkv))

    seam.wrap(Attention, "split", mutate)


@mutant("keys and values of at most 4 heads", "DEC-4")
def four_kv_heads(seam: Seam) -> None:
    def limited(x: Array) -> Array:
        return x[:, np.minimum(np.arange(x.shape[1]), FEW - 1)]

    _split(seam, lambda _self, q, k, v: (q, limited(k), limited(v)))


def _heads_of_a_group(seam: Seam, count: int) -> None:
    """Compute the first query heads of each key-value head; the others stay zero."""

    def mutate(weighted_values: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
        def limited(weights: Array, values: Array) -> Array:
            heads, kv_heads, head_dim = weights.shape[1], *values.shape[1:]
            computed = np.repeat(np.arange(heads) % (heads // kv_heads) < count, head_dim)
            return np.asarray(weighted_values(weights, values) * computed)

        return limited

    seam.wrap(attention, "weighted_values", mutate)


@mutant("at most 4 query heads to a key-value head", "DEC-4")
def groups_of_four_heads(seam: Seam) -> None:
    _heads_of_a_group(seam, FEW)


@mutant("at most 5 query heads to a key-value head", "DEC-4")
def groups_of_five_heads(seam: Seam) -> None:
    _heads_of_a_group(seam, 5)


@mutant("at most 4 experts", "DEC-14")
def four_experts(seam: Seam) -> None:
    seam.wrap(moe, "choose", lambda choose: lambda values: choose(values[:, :FEW]))


def by_name(items: Sequence[Any]) -> list[Any]:
    """Return items in the order of their numbers as text: 0, 1, 10, 11, 2."""
    return [items[i] for i in sorted(range(len(items)), key=str)]


@mutant("experts in the order of their names: 10 before 2", "TENSOR-3")
def experts_by_name(seam: Seam) -> None:
    def mutate(init: Callable[..., None]) -> Callable[..., None]:
        return lambda self, router, experts, shared: init(self, router, by_name(experts), shared)

    seam.wrap(moe.MoE, "__init__", mutate)


def _layers(seam: Seam, change: Callable[[Sequence[Any]], list[Any]]) -> None:
    def mutate(init: Callable[..., None]) -> Callable[..., None]:
        def mutated_init(self: Decoder, *arguments: Any, **members: Any) -> None:
            init(self, *arguments, **members)
            self.layers = change(self.layers)

        return mutated_init

    seam.wrap(Decoder, "__init__", mutate)
    seam.replace(Decoder, "start", _start)


def _start(self: Decoder) -> forward.Sequence:
    return forward.Sequence([KVCache(self.kv_cache) for _ in self.layers])


@mutant("at most 4 layers", "DEC-2")
def four_layers(seam: Seam) -> None:
    _layers(seam, lambda layers: list(layers[:FEW]))


@mutant("layers in the order of their names: 10 before 2", "TENSOR-3")
def layers_by_name(seam: Seam) -> None:
    _layers(seam, by_name)


def _ids(seam: Seam, bits: int) -> None:
    """Keep the ids of a sequence's tokens in few bits."""

    def mutate(hidden: Callable[..., Array]) -> Callable[..., Array]:
        return lambda self, tokens, *rest: hidden(self, [token & (1 << bits) - 1 for token in tokens], *rest)

    seam.wrap(Decoder, "hidden", mutate)


@mutant("token ids in 8 bits", "DEC-1")
def ids_in_8_bits(seam: Seam) -> None:
    _ids(seam, 8)


@mutant("token ids in 16 bits", "DEC-1")
def ids_in_16_bits(seam: Seam) -> None:
    _ids(seam, 16)


@mutant("the ids of chosen tokens in 16 bits", "GEN-1", "generate")
def chosen_ids_in_16_bits(seam: Seam) -> None:
    def mutate(choose: Callable[..., int]) -> Callable[..., int]:
        return lambda *arguments: choose(*arguments) & 0xFFFF

    seam.wrap(generation, "choose", mutate)


@mutant("the first 65536 rows of the head alone", "DEC-16")
def head_of_65536_rows(seam: Seam) -> None:
    def mutate(original: Callable[..., Any]) -> Callable[..., Any]:
        def head(self: Decoder) -> Any:
            correct_head: matrix.Matrix = original(self)

            def limited(x: matrix.Rounded) -> Array:
                logits = correct_head.product(x)
                return np.where(np.arange(logits.shape[-1]) < 65536, logits, 0)

            return ComposedMatrix(correct_head.rounded, limited)

        return head

    seam.wrap(Decoder, "_head", mutate)
