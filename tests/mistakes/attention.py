"""Mistakes in attention (DEC-4 to DEC-11)."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llq_format.reference import attention, ops
from llq_format.reference.activations import Array
from tests.mistakes.mistake import Patch, mistake


def _rotate(patch: Patch, wrong: Callable[[Array, Array, Any], Array]) -> None:
    patch.setattr(attention, "rotate", wrong)


_rotated = attention.rotate
OTHER = {"interleaved": "halves", "halves": "interleaved"}


@mistake("pairs of the other kind", "LLQ-DEC-5")
def _(patch: Patch) -> None:
    _rotate(patch, lambda x, angles, pairing: _rotated(x, angles, OTHER[pairing]))  # type: ignore[arg-type]


@mistake("pairs always halves", "LLQ-DEC-5")
def _(patch: Patch) -> None:
    _rotate(patch, lambda x, angles, _: _rotated(x, angles, "halves"))


@mistake("pairs always interleaved", "LLQ-DEC-5")
def _(patch: Patch) -> None:
    _rotate(patch, lambda x, angles, _: _rotated(x, angles, "interleaved"))


@mistake("rotation the other way", "LLQ-DEC-5")
def _(patch: Patch) -> None:
    _rotate(patch, lambda x, angles, pairing: _rotated(x, -angles, pairing))


@mistake("rotation not applied", "LLQ-DEC-5")
def _(patch: Patch) -> None:
    _rotate(patch, lambda x, _angles, _pairing: x)


@mistake("angles in binary16", "LLQ-DEC-6")
def _(patch: Patch) -> None:
    _rotate(
        patch, lambda x, angles, pairing: _rotated(x, angles.astype(np.float16).astype(np.float64), pairing)
    )


@mistake("angles in binary32", "LLQ-DEC-6")
def _(patch: Patch) -> None:
    _rotate(
        patch, lambda x, angles, pairing: _rotated(x, angles.astype(np.float32).astype(np.float64), pairing)
    )


@mistake("angles begin anew at each step of decoding", "LLQ-DEC-17")
def _(patch: Patch) -> None:
    _rotate(patch, lambda x, angles, pairing: _rotated(x, angles - angles[:1], pairing))


def _configured(patch: Patch, change: Callable[[Any], Any]) -> None:
    """Give every attention another configuration."""
    init = attention.Attention.__init__

    def changed(self: attention.Attention, model: Any, config: Any, *others: Any) -> None:
        init(self, model, change(config), *others)

    patch.setattr(attention.Attention, "__init__", changed)


@mistake("qk_norm in layers without RoPE", "LLQ-DEC-7")
def _(patch: Patch) -> None:
    _configured(patch, lambda config: replace(config, qk_norm=config.qk_norm or not config.rope))


@mistake("qk_norm in all layers", "LLQ-DEC-7")
def _(patch: Patch) -> None:
    _configured(patch, lambda config: replace(config, qk_norm=True))


@mistake("no qk_norm", "LLQ-DEC-7")
def _(patch: Patch) -> None:
    _configured(patch, lambda config: replace(config, qk_norm=False))


@mistake("qk_norm divides by the length", "LLQ-DEC-7")
def _(patch: Patch) -> None:
    def length(x: Array, weight: Array | None, eps: float) -> Array:
        return (
            ops.rms_norm(x, weight, eps)
            if weight is not None
            else x / np.sqrt((x * x).sum(-1)[..., None] + eps)
        )

    patch.setattr(attention, "rms_norm", length)


@mistake("qk_norm without eps", "LLQ-DEC-7")
def _(patch: Patch) -> None:
    patch.setattr(attention, "rms_norm", lambda x, weight, _: ops.rms_norm(x, weight, 1e-12))


@mistake("no chunks", "LLQ-DEC-10")
def _(patch: Patch) -> None:
    _configured(patch, lambda config: replace(config, chunk_size=None))


def _mask(patch: Patch, wrong: Callable[[Array, Array, int | None], NDArray[np.bool_]]) -> None:
    patch.setattr(attention, "attends", wrong)


_attends = attention.attends


@mistake("chunks that slide", "LLQ-DEC-10")
def _(patch: Patch) -> None:
    def slide(queries: Array, keys: Array, chunk_size: int | None) -> NDArray[np.bool_]:
        back = queries[:, None] - keys[None, :]
        return (back >= 0) & (back < (chunk_size or math.inf))

    _mask(patch, slide)


@mistake("chunks of each step of prefill", "LLQ-DEC-10")
def _(patch: Patch) -> None:
    def relative(queries: Array, keys: Array, chunk_size: int | None) -> NDArray[np.bool_]:
        return _attends(queries, keys, None if len(queries) == 1 else chunk_size)

    _mask(patch, relative)


@mistake("causal mask lets the next position through", "LLQ-DEC-10")
def _(patch: Patch) -> None:
    _mask(patch, lambda queries, keys, chunk_size: _attends(queries + 1, keys, chunk_size))


@mistake("causal mask hides the position itself", "LLQ-DEC-10")
def _(patch: Patch) -> None:
    def strict(queries: Array, keys: Array, chunk_size: int | None) -> NDArray[np.bool_]:
        own = queries[:, None] == keys[None, :]
        seen = _attends(queries, keys, chunk_size) & ~own
        return np.asarray(seen | (own & ~seen.any(axis=1, keepdims=True)))

    _mask(patch, strict)


@mistake("no causal mask", "LLQ-DEC-10")
def _(patch: Patch) -> None:
    _mask(patch, lambda queries, keys, _: np.ones((len(queries), len(keys)), bool))


@mistake("no temperature", "LLQ-DEC-8")
def _(patch: Patch) -> None:
    patch.setattr(attention, "temperature_factors", lambda positions, _: np.ones(len(positions)))


@mistake("temperature of position, not position + 1", "LLQ-DEC-8")
def _(patch: Patch) -> None:
    right = attention.temperature_factors
    patch.setattr(
        attention, "temperature_factors", lambda positions, temperature: right(positions - 1, temperature)
    )


@mistake("temperature with another logarithm", "LLQ-DEC-8")
def _(patch: Patch) -> None:
    right = attention.temperature_factors

    def binary(positions: Array, temperature: Any) -> Array:
        return 1 + (right(positions, temperature) - 1) / math.log(2)

    patch.setattr(attention, "temperature_factors", binary)


@mistake("temperature without floor", "LLQ-DEC-8")
def _(patch: Patch) -> None:
    def smooth(positions: Array, temperature: Any) -> Array:
        steps = (positions + 1) / temperature.floor_scale
        return np.asarray(1 + temperature.attn_scale * np.log(1 + steps))

    patch.setattr(attention, "temperature_factors", smooth)


@mistake("key-value head by remainder", "LLQ-DEC-4")
def _(patch: Patch) -> None:
    init, split = attention.Attention.__init__, attention.Attention.split

    def order(self: attention.Attention) -> NDArray[np.intp]:
        heads = np.arange(self.model.num_heads)
        return heads.reshape(-1, self.model.num_kv_heads).T.reshape(-1)

    def made(self: attention.Attention, *arguments: Any) -> None:
        init(self, *arguments)
        output, back = self.output, np.argsort(order(self))

        def in_order(x: Array) -> Array:
            return output(x.reshape(len(x), self.model.num_heads, -1)[:, back].reshape(x.shape))

        self.output = in_order

    def by_remainder(self: attention.Attention, qkv: Array) -> tuple[Array, Array, Array]:
        q, k, v = split(self, qkv)
        return q[:, order(self)], k, v

    patch.setattr(attention.Attention, "__init__", made)
    patch.setattr(attention.Attention, "split", by_remainder)


@mistake("values before keys", "LLQ-DEC-4")
def _(patch: Patch) -> None:
    split = attention.Attention.split

    def swapped(self: attention.Attention, qkv: Array) -> tuple[Array, Array, Array]:
        q, k, v = split(self, qkv)
        return q, v, k

    patch.setattr(attention.Attention, "split", swapped)


@mistake("scores not divided by the root of head_dim", "LLQ-DEC-9")
def _(patch: Patch) -> None:
    split = attention.Attention.split

    def greater(self: attention.Attention, qkv: Array) -> tuple[Array, Array, Array]:
        q, k, v = split(self, qkv)
        return q * math.sqrt(self.model.head_dim), k, v

    patch.setattr(attention.Attention, "split", greater)


@mistake("scores divided by the root of hidden_size over num_heads", "LLQ-DEC-9")
def _(patch: Patch) -> None:
    split = attention.Attention.split

    def other(self: attention.Attention, qkv: Array) -> tuple[Array, Array, Array]:
        q, k, v = split(self, qkv)
        model = self.model
        return q * math.sqrt(model.head_dim * model.num_heads / model.hidden_size), k, v

    patch.setattr(attention.Attention, "split", other)


@mistake("softmax without subtraction, in binary32", "LLQ-NUM-1")
def _(patch: Patch) -> None:
    def naive(scores: Array) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            weights = np.exp(scores.astype(np.float32))
            return np.asarray(weights / weights.sum(axis=-1, keepdims=True), np.float64)

    patch.setattr(attention, "softmax", naive)


@mistake("scores in binary16", "LLQ-NUM-4")
def _(patch: Patch) -> None:
    right = ops.softmax
    patch.setattr(attention, "softmax", lambda scores: right(scores.astype(np.float16).astype(np.float64)))
