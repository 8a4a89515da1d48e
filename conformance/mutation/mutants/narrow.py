"""Mutants of formats that are too narrow in one place of a decoder (ACT-1, ACT-2, ACT-9, DEC-13, NUM-2)."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llq_format.reference import attention, forward, moe, ops
from llq_format.reference.activations import Array
from llq_format.reference.attention import Attention, KVCache

from .mutant import mutant
from .precision import change_binary16_layers
from .seam import Seam

LARGEST_BINARY16 = 65504.0
Extend = Callable[[KVCache, Array, Array], tuple[Array, Array]]


def half(x: Array) -> Array:
    """Round to binary16, without a clamp."""
    return x.astype(np.float16).astype(np.float64)


@mutant("at most two binary16 layers", "ACT-1")
def two_binary16_layers_at_most(seam: Seam) -> None:
    change_binary16_layers(seam, lambda count, _all: min(count, 2))


@mutant("at least three binary16 layers", "ACT-2")
def three_binary16_layers_at_least(seam: Seam) -> None:
    change_binary16_layers(seam, lambda count, _all: max(count, 3))


def _experts(seam: Seam, precision: str) -> None:
    """Round the inputs of all experts in one way."""

    def mutate(original: Callable[..., Any]) -> Callable[..., Any]:
        def ffn(self: forward.Decoder, prefix: str, layer: Any, due: str) -> Any:
            return original(self, prefix, layer, precision if layer.ffn.moe else due)

        return ffn

    seam.wrap(forward.Decoder, "_ffn", mutate)


@mutant("inputs of experts always INT8", "ACT-1")
def experts_always_int8(seam: Seam) -> None:
    _experts(seam, "int8")


@mutant("inputs of experts always binary16", "ACT-2")
def experts_always_binary16(seam: Seam) -> None:
    _experts(seam, "binary16")


def _route(seam: Seam, values: Callable[[Array], Array], score: Callable[[Array], Array]) -> None:
    def choose(given: Array) -> tuple[NDArray[np.intp], Array]:
        of_experts = values(given)
        experts = of_experts.argmax(axis=-1)
        return experts, score(ops.sigmoid(of_experts[np.arange(len(given)), experts]))

    seam.replace(moe, "choose", choose)


@mutant("values of the router in binary16", "ACT-9")
def router_values_in_binary16(seam: Seam) -> None:
    _route(seam, half, np.asarray)


@mutant("the chosen expert's score in binary16", "ACT-9")
def router_score_in_binary16(seam: Seam) -> None:
    _route(seam, np.asarray, half)


@mutant("factor of temperature in binary16", "ACT-9")
def temperature_in_binary16(seam: Seam) -> None:
    def mutate(factors: Callable[..., Array]) -> Callable[..., Array]:
        return lambda *arguments: half(factors(*arguments))

    seam.wrap(attention, "temperature_factors", mutate)


@mutant("1/√head_dim in binary16", "ACT-9")
def root_of_head_dim_in_binary16(seam: Seam) -> None:
    def mutate(scores: Callable[..., Array]) -> Callable[..., Array]:
        def rescaled(self: Attention, q: Array, keys: Array) -> Array:
            root = math.sqrt(self.model.head_dim)
            return scores(self, q, keys) * (float(np.float16(1 / root)) * root)

        return rescaled

    seam.wrap(Attention, "scores", mutate)


def coarse_erf(x: Array) -> Array:
    """Return erf within 2.5e-5: formula 7.1.25 of Abramowitz and Stegun."""
    t = 1 / (1 + 0.47047 * np.abs(x))
    tail = t * (0.3480242 + t * (-0.0958798 + t * 0.7478556)) * np.exp(-x * x)
    return np.asarray(np.sign(x) * (1 - tail))


@mutant("erf within 2.5e-5", "DEC-13")
def erf_of_three_terms(seam: Seam) -> None:
    seam.item(ops.ACTIVATIONS, "gelu", lambda z: z / 2 * (1 + coarse_erf(z / math.sqrt(2))))


@mutant("weights of norms by their magnitude", "DEC-3")
def norm_weights_by_magnitude(seam: Seam) -> None:
    def mutate(norm: Callable[..., Array]) -> Callable[..., Array]:
        return lambda x, weight, eps: norm(x, None if weight is None else np.abs(weight), eps)

    seam.wrap(forward, "rms_norm", mutate)


def _cached(seam: Seam, change: Callable[[Array], Array]) -> None:
    seam.wrap(KVCache, "extend", lambda extend: lambda self, k, v: extend(self, change(k), change(v)))


@mutant("keys and values limited to 65504, whatever the KV cache holds", "NUM-2")
def kv_cache_clamped(seam: Seam) -> None:
    _cached(seam, lambda x: np.clip(x, -LARGEST_BINARY16, LARGEST_BINARY16))


@mutant("keys and values above 65504 made infinite", "NUM-2")
def kv_cache_infinite(seam: Seam) -> None:
    def extended(extend: Extend) -> Extend:
        def extend_unclamped(self: KVCache, k: Array, v: Array) -> tuple[Array, Array]:
            extend(self, k, v)
            for (held,), new in ((self.keys, k), (self.values, v)):
                above = np.abs(new) > LARGEST_BINARY16
                held[-len(new) :][above] = np.copysign(np.inf, new[above])
            return self.keys[0].astype(np.float64), self.values[0].astype(np.float64)

        return extend_unclamped

    seam.wrap(KVCache, "extend", extended)
