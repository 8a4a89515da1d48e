"""Mutants of the embedding, norms, residual stream and head (DEC-1 to DEC-3, DEC-16)."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llq_format.reference import attention, forward, matrix
from llq_format.reference.activations import Array
from llq_format.reference.forward import Decoder, DecoderLayer
from llq_format.reference.observation import Observe, unobserved
from llq_format.reference.ops import rms_norm

from .composed_matrix import ComposedMatrix
from .mutant import mutant
from .seam import Seam

Norm = Callable[[Array, Array | None, float], Array]


def _change_decoder(seam: Seam, change: Callable[[Decoder], None]) -> None:
    """Change every decoder after it is made."""

    def mutate(init: Callable[..., None]) -> Callable[..., None]:
        def mutated_init(self: Decoder, *arguments: Any, **options: Any) -> None:
            init(self, *arguments, **options)
            change(self)

        return mutated_init

    seam.wrap(Decoder, "__init__", mutate)


@mutant("embedding scaled by the root of hidden_size", "DEC-1")
def embedding_scaled(seam: Seam) -> None:
    def scale(decoder: Decoder) -> None:
        decoder.embedding = decoder.embedding * np.float32(math.sqrt(decoder.model.hidden_size))

    _change_decoder(seam, scale)


@mutant("embedding of the next token id", "DEC-1")
def embedding_of_next_token(seam: Seam) -> None:
    def shift(decoder: Decoder) -> None:
        decoder.embedding = np.roll(decoder.embedding, -1, axis=0)

    _change_decoder(seam, shift)


def _norms(seam: Seam, mutate: Callable[[Norm], Norm]) -> None:
    for module in (forward, attention):
        seam.wrap(module, "rms_norm", mutate)


def weighed(y: Array, weight: Array | None) -> Array:
    """Return a normed vector times the weight, if there is one."""
    return np.asarray(y if weight is None else weight * y)


@mutant("eps outside the root", "DEC-3")
def eps_outside_root(seam: Seam) -> None:
    def outside(x: Array, weight: Array | None, eps: float) -> Array:
        return weighed(x / (np.sqrt(np.mean(x * x, axis=-1, keepdims=True)) + eps), weight)

    _norms(seam, lambda _norm: outside)


@mutant("eps taken for 1e-6", "DEC-3")
def eps_1e_6(seam: Seam) -> None:
    _norms(seam, lambda norm: lambda x, weight, _: norm(x, weight, 1e-6))


@mutant("eps taken for 1e-5", "DEC-3")
def eps_1e_5(seam: Seam) -> None:
    _norms(seam, lambda norm: lambda x, weight, _: norm(x, weight, 1e-5))


@mutant("no eps in norms", "DEC-3")
def eps_ignored(seam: Seam) -> None:
    _norms(seam, lambda norm: lambda x, weight, _: norm(x, weight, 1e-30))


@mutant("the greater of mean(x²) and eps", "DEC-3")
def eps_as_maximum(seam: Seam) -> None:
    def clamped(x: Array, weight: Array | None, eps: float) -> Array:
        return weighed(x / np.sqrt(np.maximum(np.mean(x * x, axis=-1, keepdims=True), eps)), weight)

    _norms(seam, lambda _norm: clamped)


@mutant("weight of a norm added to 1", "DEC-3")
def norm_weight_plus_1(seam: Seam) -> None:
    _norms(seam, lambda norm: lambda x, w, eps: norm(x, None if w is None else 1 + w, eps))


@mutant("weight of a norm ignored", "DEC-3")
def norm_weight_ignored(seam: Seam) -> None:
    _norms(seam, lambda norm: lambda x, _, eps: norm(x, None, eps))


@mutant("layer norm: the mean subtracted", "DEC-3")
def layer_norm(seam: Seam) -> None:
    _norms(seam, lambda norm: lambda x, w, eps: norm(x - x.mean(axis=-1, keepdims=True), w, eps))


@mutant("norm by the sum of squares, not their mean", "DEC-3")
def norm_by_sum(seam: Seam) -> None:
    def summed(x: Array, weight: Array | None, eps: float) -> Array:
        return weighed(x / np.sqrt((x * x).sum(axis=-1, keepdims=True) + eps), weight)

    _norms(seam, lambda _norm: summed)


@mutant("norm by a length rounded up to 64", "DEC-3")
def norm_by_64(seam: Seam) -> None:
    def padded(x: Array, weight: Array | None, eps: float) -> Array:
        length = -(-x.shape[-1] // 64) * 64
        return weighed(x / np.sqrt((x * x).sum(axis=-1, keepdims=True) / length + eps), weight)

    seam.wrap(forward, "rms_norm", lambda _norm: padded)


Attend = Callable[[Array, Array], Array]
"""The attention of a layer, of vectors and the weight of the norm before it."""

Step = Callable[[DecoderLayer, Array, Attend, Observe], Array]
"""From a layer, its input and its attention to its output."""


def _layered(seam: Seam, step: Step) -> None:
    """Compute each layer in another way."""

    def call(
        self: DecoderLayer, x: Array, positions: Array, cache: Any, observe: Observe = unobserved
    ) -> Array:
        def attend(vectors: Array, weight: Array) -> Array:
            return self.attend(vectors, weight, positions, cache, observe)

        return observe("ffn.residual", step(self, x, attend, observe))

    seam.replace(DecoderLayer, "__call__", call)


@mutant("no norm before the head", "DEC-16")
def no_norm_before_head(seam: Seam) -> None:
    seam.replace(Decoder, "final_norm", lambda _self, x: x)


@mutant("residual of the FFN taken from the layer's input", "DEC-2")
def ffn_residual_of_layer_input(seam: Seam) -> None:
    def step(layer: DecoderLayer, x: Array, attend: Attend, observe: Observe) -> Array:
        h = observe("attention.residual", x + attend(x, layer.attention_norm))
        return x + layer.feed(h, layer.ffn_norm, observe)

    _layered(seam, step)


@mutant("FFN parallel to attention, not after it", "DEC-2")
def parallel_ffn(seam: Seam) -> None:
    def step(layer: DecoderLayer, x: Array, attend: Attend, observe: Observe) -> Array:
        h = observe("attention.residual", x + attend(x, layer.attention_norm))
        return h + layer.feed(x, layer.ffn_norm, observe)

    _layered(seam, step)


@mutant("attention_norm and ffn_norm swapped", "DEC-2")
def norms_swapped(seam: Seam) -> None:
    def step(layer: DecoderLayer, x: Array, attend: Attend, observe: Observe) -> Array:
        h = observe("attention.residual", x + attend(x, layer.ffn_norm))
        return h + layer.feed(h, layer.attention_norm, observe)

    _layered(seam, step)


@mutant("residuals taken after the norms", "DEC-2")
def residual_of_normed(seam: Seam) -> None:
    def step(layer: DecoderLayer, x: Array, attend: Attend, observe: Observe) -> Array:
        normed = rms_norm(x, layer.attention_norm, layer.eps)
        h = observe("attention.residual", normed + attend(x, layer.attention_norm))
        normed = rms_norm(h, layer.ffn_norm, layer.eps)
        return normed + layer.feed(h, layer.ffn_norm, observe)

    _layered(seam, step)


@mutant("the last layer skipped", "DEC-2")
def last_layer_skipped(seam: Seam) -> None:
    def skip(decoder: Decoder) -> None:
        decoder.layers = decoder.layers[:-1]

    def start(original: Callable[..., Any]) -> Callable[..., Any]:
        def shorter(self: Decoder) -> forward.Sequence:
            sequence: forward.Sequence = original(self)
            sequence.caches = sequence.caches[: len(self.layers)]
            return sequence

        return shorter

    _change_decoder(seam, skip)
    seam.wrap(Decoder, "start", start)


def _head_of(seam: Seam, weights: Callable[[Decoder], NDArray[np.float32]]) -> None:
    """Take other weights, [vocab_size, hidden_size], for the head."""

    def mutate(_head: Callable[..., Any]) -> Callable[..., Any]:
        def head(self: Decoder) -> matrix.Matrix:
            return matrix.FloatMatrix(weights(self), "binary16")

        return head

    seam.wrap(Decoder, "_head", mutate)


@mutant("embedding taken for lm_head though there is one", "DEC-16")
def head_always_tied(seam: Seam) -> None:
    _head_of(seam, lambda decoder: decoder._package.get_tensor("embedding"))  # noqa: SLF001 - a seam


@mutant("logits one row off", "DEC-16")
def head_row_off_by_one(seam: Seam) -> None:
    def mutate(original: Callable[..., Any]) -> Callable[..., Any]:
        def head(self: Decoder) -> matrix.Matrix:
            correct_head: matrix.Matrix = original(self)
            return ComposedMatrix(
                correct_head.rounded, lambda x: np.roll(correct_head.product(x), 1, axis=-1)
            )

        return head

    seam.wrap(Decoder, "_head", mutate)
