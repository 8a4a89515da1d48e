"""Mistakes in the rounding of what enters a matmul (ACT-1 to ACT-6)."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from conformance import reference
from llq_format.reference import forward, matrix
from llq_format.reference.activations import Array, quantize_int8, round_binary16
from tests.mistakes.mistake import MISTAKES, Mistake, Patch, mistake


def _quantize(patch: Patch, quantize: Callable[[Array], tuple[Array, Array]]) -> None:
    patch.setattr(matrix, "quantize_int8", quantize)
    patch.setattr(reference, "quantize_int8", quantize)


def _round(patch: Patch, rounded: Callable[[Array], Array]) -> None:
    patch.setattr(matrix, "round_binary16", rounded)
    patch.setattr(reference, "round_binary16", rounded)


def _quotient(x: Array, s: Array) -> Array:
    return np.divide(x, s, out=np.zeros_like(x), where=s > 0)


def _with_scale_128(x: Array) -> tuple[Array, Array]:
    s = np.abs(x).max(axis=-1, keepdims=True) / 128
    return np.clip(np.rint(_quotient(x, s)), -127, 127), s


def _down_to_minus_128(x: Array) -> tuple[Array, Array]:
    s = np.maximum(x.max(axis=-1, keepdims=True) / 127, -x.min(axis=-1, keepdims=True) / 128)
    return np.clip(np.rint(_quotient(x, s)), -128, 127), s


def _per_batch(x: Array) -> tuple[Array, Array]:
    s = np.full((len(x), 1), np.abs(x).max() / 127)
    return np.rint(_quotient(x, s)), s


def _greatest_without_sign(x: Array) -> tuple[Array, Array]:
    s = np.maximum(x.max(axis=-1, keepdims=True), 0) / 127
    return np.clip(np.rint(_quotient(x, s)), -127, 127), s


def _truncated(x: Array) -> tuple[Array, Array]:
    s = np.abs(x).max(axis=-1, keepdims=True) / 127
    return np.trunc(_quotient(x, s)), s


def _scale_in_binary16(x: Array) -> tuple[Array, Array]:
    q, s = quantize_int8(x)
    with np.errstate(over="ignore"):
        return q, s.astype(np.float16).astype(np.float64)


def _nan_for_zeros(x: Array) -> tuple[Array, Array]:
    s = np.abs(x).max(axis=-1, keepdims=True) / 127
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.rint(x / s), s


def _scale_1_for_zeros(x: Array) -> tuple[Array, Array]:
    q, s = quantize_int8(x)
    return q, np.where(s == 0, 1.0, s)


for _name, _rule, _wrong in (
    ("s is max/128", "LLQ-ACT-2", _with_scale_128),
    ("codes down to -128", "LLQ-ACT-2", _down_to_minus_128),
    ("maximum without magnitudes", "LLQ-ACT-2", _greatest_without_sign),
    ("codes truncated", "LLQ-ACT-2", _truncated),
    ("s in binary16", "LLQ-ACT-6", _scale_in_binary16),
    ("NaN for zeros", "LLQ-ACT-4", _nan_for_zeros),
):
    for _check in ("activations", "matvec", "logits"):
        make = partial(_quantize, quantize=_wrong)
        MISTAKES.append(Mistake(f"{_name} ({_check})", _rule, _check, make))


@mistake("s over all positions (activations)", "LLQ-ACT-3", "activations")
def _(patch: Patch) -> None:
    _quantize(patch, _per_batch)


@mistake("s over all positions (matvec)", "LLQ-ACT-3", "matvec")
def _(patch: Patch) -> None:
    _quantize(patch, _per_batch)


@mistake("s over all positions (logits)", "LLQ-DEC-17")
def _(patch: Patch) -> None:
    _quantize(patch, _per_batch)


@mistake("s is 1 for zeros", "LLQ-ACT-4", "activations")
def _(patch: Patch) -> None:
    _quantize(patch, _scale_1_for_zeros)


def _infinite(x: Array) -> Array:
    with np.errstate(over="ignore"):
        return x.astype(np.float16).astype(np.float64)


def _toward_zero(x: Array) -> Array:
    a = round_binary16(x).astype(np.float16)
    return np.where(np.abs(a) > np.abs(x), np.nextafter(a, np.float16(0)), a).astype(np.float64)


def bfloat16(x: Array) -> Array:
    """Round to bfloat16, halves away from zero."""
    bits = x.astype(np.float32).view(np.uint32) + np.uint32(0x8000)
    return (bits & np.uint32(0xFFFF0000)).view(np.float32).astype(np.float64)


for _name, _rule, _other in (
    ("no clamp", "LLQ-ACT-1", _infinite),
    ("toward zero", "LLQ-ACT-1", _toward_zero),
    ("bfloat16", "LLQ-ACT-1", bfloat16),
    ("not rounded", "LLQ-ACT-1", lambda x: x),
):
    for _check in ("activations", "matvec"):
        make = partial(_round, rounded=_other)
        MISTAKES.append(Mistake(f"{_name} ({_check})", _rule, _check, make))


@mistake("infinite beyond binary16", "LLQ-NUM-1")
def _(patch: Patch) -> None:
    _round(patch, _infinite)


def _layers(patch: Patch, count: Callable[[int, int], int]) -> None:
    """Round the inputs of another number of layers to binary16; count(fp16_layers, all layers)."""
    layer = forward.Decoder._layer  # noqa: SLF001 - a seam of the reference

    def counted(self: forward.Decoder, number: int, config: Any) -> forward.DecoderLayer:
        model = self.model
        self.model = replace(model, fp16_layers=count(model.fp16_layers, len(model.layers)))
        try:
            return layer(self, number, config)
        finally:
            self.model = model

    patch.setattr(forward.Decoder, "_layer", counted)


@mistake("fp16_layers ignored, INT8 throughout", "LLQ-ACT-1")
def _(patch: Patch) -> None:
    _layers(patch, lambda _count, _all: 0)


@mistake("fp16_layers ignored, binary16 throughout", "LLQ-ACT-2")
def _(patch: Patch) -> None:
    _layers(patch, lambda _count, every: every)


@mistake("one binary16 layer too many", "LLQ-ACT-2")
def _(patch: Patch) -> None:
    _layers(patch, lambda count, _all: count + 1)


@mistake("one binary16 layer too few", "LLQ-ACT-1")
def _(patch: Patch) -> None:
    _layers(patch, lambda count, _all: max(count - 1, 0))


@mistake("fp16_layers taken for 2", "LLQ-ACT-2")
def _(patch: Patch) -> None:
    _layers(patch, lambda _count, _all: 2)


@mistake("input of lm_head in INT8", "LLQ-ACT-1")
def _(patch: Patch) -> None:
    def head(self: forward.Decoder) -> matrix.Matrix:
        name = "embedding" if self.model.tied_embeddings else "lm_head"
        weights = self._package.get_tensor(name).astype(np.float64)

        def multiply(x: Array) -> Array:
            q, s = quantize_int8(x)
            return s * (q @ weights.T)

        return multiply

    patch.setattr(forward.Decoder, "_head", head)
