"""Mistakes in the embedding, norms, residual stream and head (DEC-1 to DEC-3, DEC-16)."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from llq_format.reference import attention, forward, ops
from llq_format.reference.activations import Array, round_binary16
from tests.mistakes.mistake import Patch, mistake


@mistake("embedding scaled by the root of hidden_size", "LLQ-DEC-1")
def _(patch: Patch) -> None:
    init = forward.Decoder.__init__

    def scaled(self: forward.Decoder, *arguments: Any, **options: Any) -> None:
        init(self, *arguments, **options)
        self.embedding = self.embedding * np.float32(math.sqrt(self.model.hidden_size))

    patch.setattr(forward.Decoder, "__init__", scaled)


def _norm(patch: Patch, wrong: Callable[[Array, Array | None, float], Array]) -> None:
    for module in (forward, attention):
        patch.setattr(module, "rms_norm", wrong)


@mistake("eps outside the root", "LLQ-DEC-3")
def _(patch: Patch) -> None:
    def outside(x: Array, weight: Array | None, eps: float) -> Array:
        y = x / (np.sqrt(np.mean(x * x, axis=-1, keepdims=True)) + eps)
        return np.asarray(y if weight is None else weight * y)

    _norm(patch, outside)


@mistake("eps is 1e-6", "LLQ-DEC-3")
def _(patch: Patch) -> None:
    _norm(patch, lambda x, weight, _: ops.rms_norm(x, weight, 1e-6))


@mistake("weight of a norm is added to 1", "LLQ-DEC-3")
def _(patch: Patch) -> None:
    _norm(patch, lambda x, weight, eps: ops.rms_norm(x, None if weight is None else 1 + weight, eps))


@mistake("layer norm", "LLQ-DEC-3")
def _(patch: Patch) -> None:
    _norm(patch, lambda x, weight, eps: ops.rms_norm(x - x.mean(axis=-1, keepdims=True), weight, eps))


@mistake("residual of the FFN taken from the layer's input", "LLQ-DEC-2")
def _(patch: Patch) -> None:
    def hidden(self: forward.Decoder, tokens: Any, sequence: forward.Sequence) -> Array:
        x, positions, eps = _begin(self, tokens, sequence)
        for layer, cache in zip(self.layers, sequence.caches, strict=True):
            h = x + layer.attention(ops.rms_norm(x, layer.attention_norm, eps), positions, cache)
            x = x + layer.ffn(ops.rms_norm(h, layer.ffn_norm, eps))
        return ops.rms_norm(x, self.norm, eps)

    patch.setattr(forward.Decoder, "hidden", hidden)


@mistake("no norm before the head", "LLQ-DEC-16")
def _(patch: Patch) -> None:
    def hidden(self: forward.Decoder, tokens: Any, sequence: forward.Sequence) -> Array:
        x, positions, eps = _begin(self, tokens, sequence)
        for layer, cache in zip(self.layers, sequence.caches, strict=True):
            h = x + layer.attention(ops.rms_norm(x, layer.attention_norm, eps), positions, cache)
            x = h + layer.ffn(ops.rms_norm(h, layer.ffn_norm, eps))
        return x

    patch.setattr(forward.Decoder, "hidden", hidden)


def _begin(decoder: forward.Decoder, tokens: Any, sequence: forward.Sequence) -> tuple[Array, Array, float]:
    ids = np.fromiter(tokens, np.int64)
    positions = np.arange(sequence.length, sequence.length + len(ids), dtype=np.float64)
    sequence.length += len(ids)
    return decoder.embedding[ids].astype(np.float64), positions, decoder.model.rms_norm_eps


@mistake("residual stream in binary16", "LLQ-NUM-4")
def _(patch: Patch) -> None:
    def hidden(self: forward.Decoder, tokens: Any, sequence: forward.Sequence) -> Array:
        x, positions, eps = _begin(self, tokens, sequence)
        for layer, cache in zip(self.layers, sequence.caches, strict=True):
            h = round_binary16(
                x + layer.attention(ops.rms_norm(x, layer.attention_norm, eps), positions, cache)
            )
            x = round_binary16(h + layer.ffn(ops.rms_norm(h, layer.ffn_norm, eps)))
        return ops.rms_norm(x, self.norm, eps)

    patch.setattr(forward.Decoder, "hidden", hidden)
