"""Mutants of heads, RoPE, norms of heads and temperature (DEC-4 to DEC-9)."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llq_format.reference import attention, ops
from llq_format.reference.activations import Array
from llq_format.reference.attention import Attention

from .mutant import mutant
from .seam import Seam

OTHER = {"interleaved": "halves", "halves": "interleaved"}
Rotate = Callable[[Array, Array, str], Array]


def _angles(seam: Seam, change: Callable[[Array], Array]) -> None:
    """Rotate by other angles, float64 [tokens, head_dim / 2]."""
    seam.wrap(attention, "rotate", lambda rotate: lambda x, angles, p: rotate(x, change(angles), p))


@mutant("RoPE pairs of the other kind", "DEC-5")
def rope_other_pairing(seam: Seam) -> None:
    seam.wrap(attention, "rotate", lambda rotate: lambda x, angles, p: rotate(x, angles, OTHER[p]))


@mutant("RoPE pairs always halves", "DEC-5")
def rope_always_halves(seam: Seam) -> None:
    seam.wrap(attention, "rotate", lambda rotate: lambda x, angles, _: rotate(x, angles, "halves"))


@mutant("RoPE pairs always interleaved", "DEC-5")
def rope_always_interleaved(seam: Seam) -> None:
    seam.wrap(attention, "rotate", lambda rotate: lambda x, angles, _: rotate(x, angles, "interleaved"))


@mutant("RoPE the other way", "DEC-5")
def rope_backwards(seam: Seam) -> None:
    _angles(seam, np.negative)


@mutant("RoPE not applied", "DEC-5")
def rope_missing(seam: Seam) -> None:
    seam.wrap(attention, "rotate", lambda _rotate: lambda x, _angles, _pairing: x)


@mutant("RoPE frequencies in reverse order", "DEC-5")
def rope_frequencies_reversed(seam: Seam) -> None:
    _angles(seam, lambda angles: angles[:, ::-1])


@mutant("RoPE in layers without it", "DEC-5")
def rope_in_all_layers(seam: Seam) -> None:
    _configured(seam, lambda config: replace(config, rope=True))


@mutant("RoPE frequencies computed with theta 10000, not read", "DEC-5")
def rope_theta_10000(seam: Seam) -> None:
    def mutate(init: Callable[..., None]) -> Callable[..., None]:
        def mutated_init(self: Attention, *arguments: Any) -> None:
            init(self, *arguments)
            if self.inv_freq is not None:
                self.inv_freq = 10000.0 ** -(np.arange(0, self.model.head_dim, 2) / self.model.head_dim)

        return mutated_init

    seam.wrap(Attention, "__init__", mutate)


@mutant("RoPE of keys one position too far", "DEC-5")
def rope_keys_off_by_one(seam: Seam) -> None:
    def mutate(call: Callable[..., Array]) -> Callable[..., Array]:
        def mutated_call(self: Attention, *arguments: Any) -> Array:
            count = 0

            def mutate_rotate(rotate_heads: Callable[..., Array]) -> Callable[..., Array]:
                def rotate(heads: Array, angles: Array, pairing: Any) -> Array:
                    nonlocal count
                    count += 1
                    assert self.inv_freq is not None  # noqa: S101 - the layer has RoPE
                    return rotate_heads(heads, angles + (self.inv_freq if count == 2 else 0), pairing)

                return rotate

            inner = Seam({})
            inner.wrap(attention, "rotate", mutate_rotate)
            try:
                return call(self, *arguments)
            finally:
                inner.restore()

        return mutated_call

    seam.wrap(Attention, "__call__", mutate)


@mutant("RoPE angles in binary16", "DEC-6")
def angles_in_binary16(seam: Seam) -> None:
    _angles(seam, lambda angles: angles.astype(np.float16).astype(np.float64))


@mutant("RoPE angles in binary32", "DEC-6")
def angles_in_binary32(seam: Seam) -> None:
    _angles(seam, lambda angles: angles.astype(np.float32).astype(np.float64))


@mutant("RoPE angles starting again at each step", "DEC-17")
def angles_anew_each_step(seam: Seam) -> None:
    _angles(seam, lambda angles: angles - angles[:1])


def _configured(seam: Seam, change: Callable[[Any], Any]) -> None:
    """Give every attention another configuration."""

    def mutate(init: Callable[..., None]) -> Callable[..., None]:
        def mutated_init(self: Attention, *arguments: Any) -> None:
            init(self, *arguments)
            config = change(self.config)
            if self.inv_freq is not None or not config.rope:
                self.config = config

        return mutated_init

    seam.wrap(Attention, "__init__", mutate)


@mutant("qk_norm in layers without RoPE too", "DEC-7")
def qk_norm_without_rope(seam: Seam) -> None:
    _configured(seam, lambda config: replace(config, qk_norm=config.qk_norm or not config.rope))


@mutant("qk_norm in all layers", "DEC-7")
def qk_norm_everywhere(seam: Seam) -> None:
    _configured(seam, lambda config: replace(config, qk_norm=True))


@mutant("no qk_norm", "DEC-7")
def qk_norm_missing(seam: Seam) -> None:
    _configured(seam, lambda config: replace(config, qk_norm=False))


def _head_norm(seam: Seam, norm: Callable[[Array, float], Array]) -> None:
    """Norm the heads in another way."""
    seam.wrap(attention, "rms_norm", lambda _norm: lambda x, _weight, eps: norm(x, eps))


@mutant("qk_norm divides by the length of the head", "DEC-7")
def qk_norm_by_length(seam: Seam) -> None:
    _head_norm(seam, lambda x, eps: x / np.sqrt((x * x).sum(axis=-1, keepdims=True) + eps))


@mutant("qk_norm without eps", "DEC-7")
def qk_norm_without_eps(seam: Seam) -> None:
    _head_norm(seam, lambda x, _eps: ops.rms_norm(x, None, 1e-12))


@mutant("qk_norm over all heads together", "DEC-7")
def qk_norm_over_all_heads(seam: Seam) -> None:
    _head_norm(seam, lambda x, eps: ops.rms_norm(x.reshape(len(x), -1), None, eps).reshape(x.shape))


@mutant("qk_norm of queries alone", "DEC-7")
def qk_norm_of_queries_alone(seam: Seam) -> None:
    def mutate(norm: Callable[..., Array]) -> Callable[..., Array]:
        count = 0

        def queries_alone(x: Array, weight: Array | None, eps: float) -> Array:
            nonlocal count
            count += 1
            return norm(x, weight, eps) if count % 2 else x

        return queries_alone

    seam.wrap(attention, "rms_norm", mutate)


def _factors(seam: Seam, factors: Callable[[Array, Any], Array]) -> None:
    """Scale queries by other factors, float64 [tokens]."""
    seam.wrap(attention, "temperature_factors", lambda _factors: factors)


_reference_factors = attention.temperature_factors


@mutant("no temperature", "DEC-8")
def temperature_missing(seam: Seam) -> None:
    _factors(seam, lambda positions, _: np.ones(len(positions)))


@mutant("temperature of position, not position + 1", "DEC-8")
def temperature_of_position(seam: Seam) -> None:
    _factors(seam, lambda positions, temperature: _reference_factors(positions - 1, temperature))


@mutant("temperature with the logarithm to base 2", "DEC-8")
def temperature_binary_logarithm(seam: Seam) -> None:
    _factors(seam, lambda positions, t: 1 + (_reference_factors(positions, t) - 1) / math.log(2))


@mutant("temperature without floor", "DEC-8")
def temperature_without_floor(seam: Seam) -> None:
    def smooth(positions: Array, temperature: Any) -> Array:
        steps = (positions + 1) / temperature.floor_scale
        return np.asarray(1 + temperature.attn_scale * np.log(1 + steps))

    _factors(seam, smooth)


@mutant("temperature without the 1 in front", "DEC-8")
def temperature_without_1(seam: Seam) -> None:
    _factors(seam, lambda positions, temperature: _reference_factors(positions, temperature) - 1)


def _split(
    seam: Seam, change: Callable[[Attention, Array, Array, Array], tuple[Array, Array, Array]]
) -> None:
    """Change the heads of q, k and v."""

    def mutate(split: Callable[..., tuple[Array, Array, Array]]) -> Callable[..., Any]:
        return lambda self, qkv: change(self, *split(self, qkv))

    seam.wrap(Attention, "split", mutate)


@mutant("key-value head by remainder", "DEC-4")
def kv_head_by_remainder(seam: Seam) -> None:
    def order(heads: int, kv_heads: int) -> NDArray[np.intp]:
        return np.arange(heads).reshape(-1, kv_heads).T.reshape(-1)

    def mutate_scores(scores: Callable[..., Array]) -> Callable[..., Array]:
        def by_remainder(self: Attention, q: Array, keys: Array) -> Array:
            heads = order(q.shape[1], keys.shape[1])
            return scores(self, q[:, heads], keys)[:, np.argsort(heads)]

        return by_remainder

    def mutate_values(weighted_values: Callable[..., Array]) -> Callable[..., Array]:
        def by_remainder(weights: Array, values: Array) -> Array:
            heads = order(weights.shape[1], values.shape[1])
            outputs = weighted_values(weights[:, heads], values)
            by_head = outputs.reshape(len(outputs), len(heads), -1)
            return by_head[:, np.argsort(heads)].reshape(outputs.shape)

        return by_remainder

    seam.wrap(Attention, "scores", mutate_scores)
    seam.wrap(attention, "weighted_values", mutate_values)


@mutant("the first key-value head for all", "DEC-4")
def kv_head_0_for_all(seam: Seam) -> None:
    def first_head(x: Array) -> Array:
        return np.repeat(x[:, :1], x.shape[1], axis=1)

    _split(seam, lambda _self, q, k, v: (q, first_head(k), first_head(v)))


@mutant("values before keys", "DEC-4")
def values_before_keys(seam: Seam) -> None:
    _split(seam, lambda _self, q, k, v: (q, v, k))


def _scores(seam: Seam, factor: Callable[[Any], float]) -> None:
    """Multiply the scores by a factor that depends on the model."""

    def mutate(scores: Callable[..., Array]) -> Callable[..., Array]:
        return lambda self, q, keys: scores(self, q, keys) * factor(self.model)

    seam.wrap(Attention, "scores", mutate)


def _narrowed(seam: Seam, change: Callable[[Array], Array]) -> None:
    """Change the scores."""
    seam.wrap(Attention, "scores", lambda scores: lambda self, q, keys: change(scores(self, q, keys)))


@mutant("scores capped at 50 by tanh", "DEC-9")
def scores_capped(seam: Seam) -> None:
    _narrowed(seam, lambda scores: 50 * np.tanh(scores / 50))


@mutant("scores clamped to ±50", "DEC-9")
def scores_clamped(seam: Seam) -> None:
    _narrowed(seam, lambda scores: np.clip(scores, -50, 50))


@mutant("scores not divided by the root of head_dim", "DEC-9")
def scores_not_divided(seam: Seam) -> None:
    _scores(seam, lambda model: math.sqrt(model.head_dim))


@mutant("scores divided by head_dim", "DEC-9")
def scores_divided_twice(seam: Seam) -> None:
    _scores(seam, lambda model: 1 / math.sqrt(model.head_dim))


@mutant("scores divided by the root of hidden_size / num_heads", "DEC-9")
def scores_by_hidden_size(seam: Seam) -> None:
    _scores(seam, lambda model: math.sqrt(model.head_dim * model.num_heads / model.hidden_size))
