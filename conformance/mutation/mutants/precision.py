"""Mutants of the choice between binary16 and INT8 (ACT-1, ACT-2), and of accuracy (ACT-9, NUM)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from llq_format.reference import attention, forward, matrix, moe
from llq_format.reference.activations import Array, quantize_int8, round_binary16
from llq_format.reference.attention import Attention, KVCache
from llq_format.reference.forward import DecoderLayer
from llq_format.reference.observation import Observe, unobserved

from .composed_matrix import ComposedMatrix
from .mutant import mutant
from .seam import Seam


def change_binary16_layers(seam: Seam, count: Callable[[int, int], int]) -> None:
    """Round the inputs of another number of layers to binary16; count(fp16_layers, all layers)."""

    def mutate(original: Callable[..., Any]) -> Callable[..., Any]:
        def mutated_layer(self: forward.Decoder, number: int, config: Any) -> forward.DecoderLayer:
            model = self.model
            self.model = replace(model, fp16_layers=count(model.fp16_layers, len(model.layers)))
            try:
                layer: forward.DecoderLayer = original(self, number, config)
                return layer
            finally:
                self.model = model

        return mutated_layer

    seam.wrap(forward.Decoder, "_layer", mutate)


@mutant("fp16_layers ignored, INT8 throughout", "ACT-1")
def int8_throughout(seam: Seam) -> None:
    change_binary16_layers(seam, lambda _count, _all: 0)


@mutant("fp16_layers ignored, binary16 throughout", "ACT-2")
def binary16_throughout(seam: Seam) -> None:
    change_binary16_layers(seam, lambda _count, count: count)


@mutant("one binary16 layer too many", "ACT-2")
def binary16_layers_plus_1(seam: Seam) -> None:
    change_binary16_layers(seam, lambda count, _all: count + 1)


@mutant("one binary16 layer too few", "ACT-1")
def binary16_layers_minus_1(seam: Seam) -> None:
    change_binary16_layers(seam, lambda count, _all: max(count - 1, 0))


@mutant("fp16_layers taken for 2", "ACT-2")
def binary16_layers_taken_for_2(seam: Seam) -> None:
    change_binary16_layers(seam, lambda _count, _all: 2)


@mutant("fp16_layers taken for 1", "ACT-2")
def binary16_layers_taken_for_1(seam: Seam) -> None:
    change_binary16_layers(seam, lambda _count, _all: 1)


@mutant("binary16 in the last fp16_layers layers, not the first", "ACT-1")
def binary16_layers_last(seam: Seam) -> None:
    def mutate(original: Callable[..., Any]) -> Callable[..., Any]:
        def mutated_layer(self: forward.Decoder, number: int, config: Any) -> forward.DecoderLayer:
            model = self.model
            binary16 = number >= len(model.layers) - model.fp16_layers
            self.model = replace(model, fp16_layers=len(model.layers) if binary16 else 0)
            try:
                layer: forward.DecoderLayer = original(self, number, config)
                return layer
            finally:
                self.model = model

        return mutated_layer

    seam.wrap(forward.Decoder, "_layer", mutate)


def _head(seam: Seam, rounding: Callable[[Array], Array]) -> None:
    """Round the input of the head in another way."""

    def mutate(_original: Callable[..., Any]) -> Callable[..., Any]:
        def head(self: forward.Decoder) -> matrix.Matrix:
            name = "embedding" if self.model.tied_embeddings else "lm_head"
            weights = self._package.get_tensor(name).astype(np.float64)
            return ComposedMatrix(
                lambda x: matrix.Rounded(rounding(x)), lambda x: np.asarray(x.values @ weights.T)
            )

        return head

    seam.wrap(forward.Decoder, "_head", mutate)


@mutant("input of lm_head in INT8", "ACT-1")
def head_input_int8(seam: Seam) -> None:
    def int8(x: Array) -> Array:
        q, s = quantize_int8(x)
        return s * q

    _head(seam, int8)


def narrow_stream(seam: Seam, narrow: Callable[[Array], Array]) -> None:
    """Keep the residual stream in another format."""

    def call(
        self: DecoderLayer, x: Array, positions: Array, cache: KVCache, observe: Observe = unobserved
    ) -> Array:
        attended = self.attend(x, self.attention_norm, positions, cache, observe)
        h = observe("attention.residual", narrow(x + attended))
        return observe("ffn.residual", narrow(h + self.feed(h, self.ffn_norm, observe)))

    seam.replace(DecoderLayer, "__call__", call)


@mutant("residual stream in binary16", "ACT-9")
def stream_in_binary16(seam: Seam) -> None:
    narrow_stream(seam, round_binary16)


@mutant("scores in binary16", "ACT-9")
def scores_in_binary16(seam: Seam) -> None:
    seam.wrap(Attention, "scores", lambda scores: lambda self, q, keys: _half(scores(self, q, keys)))


@mutant("queries in binary16", "ACT-9")
def queries_in_binary16(seam: Seam) -> None:
    seam.wrap(Attention, "scores", lambda scores: lambda self, q, keys: scores(self, _half(q), keys))


@mutant("weights of the softmax in binary16", "ACT-9")
def softmax_in_binary16(seam: Seam) -> None:
    seam.wrap(attention, "softmax", lambda softmax: lambda scores: _half(softmax(scores)))


@mutant("input of the router in binary16", "ACT-9")
def router_input_in_binary16(seam: Seam) -> None:
    seam.wrap(moe.MoE, "route", lambda route: lambda self, x, *rest: route(self, round_binary16(x), *rest))


@mutant("input of norms in binary16", "ACT-9")
def norm_in_binary16(seam: Seam) -> None:
    seam.wrap(forward, "rms_norm", lambda norm: lambda x, w, eps: norm(round_binary16(x), w, eps))


@mutant("logits in binary16", "ACT-9")
def logits_in_binary16(seam: Seam) -> None:
    def mutate(original: Callable[..., Any]) -> Callable[..., Any]:
        def head(self: forward.Decoder) -> matrix.Matrix:
            correct_head: matrix.Matrix = original(self)
            return ComposedMatrix(correct_head.rounded, lambda x: _half(correct_head.product(x)))

        return head

    seam.wrap(forward.Decoder, "_head", mutate)


def _half(x: Array) -> Array:
    return x.astype(np.float16).astype(np.float64)
