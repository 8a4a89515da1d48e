"""Mutants of bias and weighted norm of heads, of the extension `LLQ_attention_affine`."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from llq_format.reference import affine, attention, ops
from llq_format.reference.activations import Array, round_binary16
from llq_format.reference.affine import Affine
from llq_format.reference.attention import Attention
from llq_format.reference.observation import Observe

from .mutant import mutant
from .seam import Seam

Changed = Callable[[Attention, Affine], Affine]


def _tensors(seam: Seam, change: Changed) -> None:
    """Give every layer with the extension other tensors."""

    def mutate(init: Callable[..., None]) -> Callable[..., None]:
        def mutated_init(self: Attention, *arguments: Any) -> None:
            init(self, *arguments)
            self.affine = change(self, self.affine)

        return mutated_init

    seam.wrap(Attention, "__init__", mutate)


def _bias(seam: Seam, change: Callable[[Array, Array, Array], tuple[Array, Array, Array]]) -> None:
    """Change the biases of q, k and v, [heads, head_dim] each."""

    def changed(layer: Attention, tensors: Affine) -> Affine:
        if tensors.qkv_bias is None:
            return tensors
        model = layer.model
        heads = tensors.qkv_bias.reshape(-1, model.head_dim)
        first_value = model.num_heads + model.num_kv_heads
        parts = heads[: model.num_heads], heads[model.num_heads : first_value], heads[first_value:]
        return replace(tensors, qkv_bias=np.concatenate([part.ravel() for part in change(*parts)]))

    _tensors(seam, changed)


@mutant("no bias of q, k and v", "AFFINE-8")
def bias_missing(seam: Seam) -> None:
    _bias(seam, lambda q, k, v: (0 * q, 0 * k, 0 * v))


@mutant("no bias of q", "AFFINE-8")
def bias_of_q_missing(seam: Seam) -> None:
    _bias(seam, lambda q, k, v: (0 * q, k, v))


@mutant("no bias of k", "AFFINE-8")
def bias_of_k_missing(seam: Seam) -> None:
    _bias(seam, lambda q, k, v: (q, 0 * k, v))


@mutant("no bias of v", "AFFINE-8")
def bias_of_v_missing(seam: Seam) -> None:
    _bias(seam, lambda q, k, v: (q, k, 0 * v))


@mutant("bias subtracted", "AFFINE-8")
def bias_subtracted(seam: Seam) -> None:
    _bias(seam, lambda q, k, v: (-q, -k, -v))


@mutant("bias in the order q, v, k", "AFFINE-8")
def bias_of_values_before_keys(seam: Seam) -> None:
    _bias(seam, lambda q, k, v: (q, v, k))


@mutant("bias in the order k, v, q", "AFFINE-8")
def bias_of_queries_last(seam: Seam) -> None:
    _bias(seam, lambda q, k, v: (k, v, q))


@mutant("bias in the order of the other RoPE pairing", "AFFINE-8")
def bias_in_other_pairing(seam: Seam) -> None:
    def other(heads: Array) -> Array:
        return heads.reshape(len(heads), 2, -1).swapaxes(1, 2)

    _bias(seam, lambda q, k, v: (other(q), other(k), v))


@mutant("bias of the first head for all heads", "AFFINE-8")
def bias_of_first_head(seam: Seam) -> None:
    def first(heads: Array) -> Array:
        return np.repeat(heads[:1], len(heads), axis=0)

    _bias(seam, lambda q, k, v: (first(q), first(k), first(v)))


@mutant("bias of q and k after RoPE", "AFFINE-8")
def bias_after_rope(seam: Seam) -> None:
    _after_rope(
        seam,
        "biased",
        lambda layer: layer.affine.qkv_bias is not None,
        _plus_bias,
        lambda layer, qkv: qkv + _bias_of_values(layer),
    )


def _bias_of_values(layer: Attention) -> Array:
    """Return the bias with zeros for q and k."""
    assert layer.affine.qkv_bias is not None  # noqa: S101 - a condition of the caller
    values = layer.affine.qkv_bias.copy()
    values[: (layer.model.num_heads + layer.model.num_kv_heads) * layer.model.head_dim] = 0
    return values


def _plus_bias(layer: Attention, q: Array, k: Array) -> tuple[Array, Array]:
    assert layer.affine.qkv_bias is not None  # noqa: S101 - a condition of the caller
    heads = layer.affine.qkv_bias.reshape(-1, layer.model.head_dim)
    first_value = layer.model.num_heads + layer.model.num_kv_heads
    return q + heads[: layer.model.num_heads], k + heads[layer.model.num_heads : first_value]


def _after_rope(
    seam: Seam,
    method: str,
    concerns: Callable[[Attention], bool],
    late: Callable[[Attention, Array, Array], tuple[Array, Array]],
    early: Callable[[Attention, Any], Any],
) -> None:
    """Do a step after RoPE in the layers with RoPE, and something else in its place."""
    current: list[Attention] = []

    def mutate_call(call: Callable[..., Array]) -> Callable[..., Array]:
        def mutated_call(self: Attention, *arguments: Any) -> Array:
            current[:] = [self]
            return call(self, *arguments)

        return mutated_call

    def moved() -> bool:
        return concerns(current[0]) and current[0].config.rope

    def mutate_step(step: Callable[..., Any]) -> Callable[..., Any]:
        def mutated_step(self: Affine, *arguments: Any) -> Any:
            if not moved():
                return step(self, *arguments)
            if method == "biased":
                return arguments[1]("biased", early(current[0], arguments[0]))
            return early(current[0], arguments[:2])

        return mutated_step

    def mutate_position(position: Callable[..., tuple[Array, Array]]) -> Callable[..., Any]:
        def mutated_position(*arguments: Any, **named: Any) -> tuple[Array, Array]:
            q, k = position(*arguments, **named)
            return late(current[0], q, k) if moved() else (q, k)

        return mutated_position

    seam.wrap(Attention, "__call__", mutate_call)
    seam.wrap(Affine, method, mutate_step)
    seam.wrap(attention, "positioned", mutate_position)


@mutant("bias after the weighted norm", "AFFINE-8")
def bias_after_norm(seam: Seam) -> None:
    current: list[Attention] = []

    def mutate_call(call: Callable[..., Array]) -> Callable[..., Array]:
        def mutated_call(self: Attention, *arguments: Any) -> Array:
            current[:] = [self]
            return call(self, *arguments)

        return mutated_call

    def late(layer: Attention) -> bool:
        return layer.affine.qkv_bias is not None and layer.affine.q_norm is not None

    def mutate_bias(biased: Callable[..., Array]) -> Callable[..., Array]:
        def mutated_bias(self: Affine, qkv: Array, observe: Observe) -> Array:
            return qkv + _bias_of_values(current[0]) if late(current[0]) else biased(self, qkv, observe)

        return mutated_bias

    def mutate_norm(normed: Callable[..., tuple[Array, Array]]) -> Callable[..., Any]:
        def mutated_norm(self: Affine, *arguments: Any) -> tuple[Array, Array]:
            q, k = normed(self, *arguments)
            return _plus_bias(current[0], q, k) if late(current[0]) else (q, k)

        return mutated_norm

    seam.wrap(Attention, "__call__", mutate_call)
    seam.wrap(Affine, "biased", mutate_bias)
    seam.wrap(Affine, "normed", mutate_norm)


@mutant("bias rounded to binary16", "AFFINE-10")
def bias_in_binary16(seam: Seam) -> None:
    _bias(seam, lambda q, k, v: (round_binary16(q), round_binary16(k), round_binary16(v)))


@mutant("sum with the bias rounded to binary16", "AFFINE-10")
def biased_in_binary16(seam: Seam) -> None:
    def mutate(biased: Callable[..., Array]) -> Callable[..., Array]:
        def rounded(self: Affine, qkv: Array, observe: Observe) -> Array:
            y = biased(self, qkv, observe)
            return y if self.qkv_bias is None else round_binary16(y)

        return rounded

    seam.wrap(Affine, "biased", mutate)


def _weights(seam: Seam, change: Callable[[Array, Array], tuple[Array | None, Array | None]]) -> None:
    """Change the weights of q_norm and k_norm."""

    def changed(_layer: Attention, tensors: Affine) -> Affine:
        if tensors.q_norm is None or tensors.k_norm is None:
            return tensors
        q_norm, k_norm = change(tensors.q_norm, tensors.k_norm)
        return replace(tensors, q_norm=q_norm, k_norm=k_norm)

    _tensors(seam, changed)


@mutant("no weighted norm of heads", "AFFINE-9")
def weighted_norm_missing(seam: Seam) -> None:
    _weights(seam, lambda _q, _k: (None, None))


@mutant("norm of heads before RoPE without its weight", "AFFINE-9")
def weighted_norm_without_weight(seam: Seam) -> None:
    _weights(seam, lambda q, k: (np.ones_like(q), np.ones_like(k)))


@mutant("q_norm for queries and keys", "AFFINE-9")
def q_norm_for_keys(seam: Seam) -> None:
    _weights(seam, lambda q, _k: (q, q))


@mutant("k_norm for queries and keys", "AFFINE-9")
def k_norm_for_queries(seam: Seam) -> None:
    _weights(seam, lambda _q, k: (k, k))


@mutant("q_norm and k_norm exchanged", "AFFINE-9")
def head_norms_exchanged(seam: Seam) -> None:
    _weights(seam, lambda q, k: (k, q))


@mutant("weights of heads' norms plus 1", "AFFINE-9")
def head_norm_weights_plus_1(seam: Seam) -> None:
    _weights(seam, lambda q, k: (q + 1, k + 1))


@mutant("weights of heads' norms rounded to binary16", "AFFINE-10")
def head_norm_weights_in_binary16(seam: Seam) -> None:
    _weights(seam, lambda q, k: (round_binary16(q), round_binary16(k)))


@mutant("weights of heads' norms in the order of the other RoPE pairing", "AFFINE-9")
def head_norm_weights_in_other_pairing(seam: Seam) -> None:
    def other(weight: Array) -> Array:
        return np.asarray(weight.reshape(2, -1).T.reshape(-1))

    _weights(seam, lambda q, k: (other(q), other(k)))


@mutant("weighted norm after RoPE", "AFFINE-9")
def weighted_norm_after_rope(seam: Seam) -> None:
    def late(layer: Attention, q: Array, k: Array) -> tuple[Array, Array]:
        tensors, eps = layer.affine, layer.model.rms_norm_eps
        assert tensors.q_norm is not None  # noqa: S101 - the step concerns such layers alone
        assert tensors.k_norm is not None  # noqa: S101 - as above
        return affine.head_norm(q, tensors.q_norm, eps), affine.head_norm(k, tensors.k_norm, eps)

    _after_rope(
        seam,
        "normed",
        lambda layer: layer.affine.q_norm is not None,
        late,
        lambda _layer, heads: heads,
    )


def _head_norm(seam: Seam, norm: Callable[[Array, Array, float], Array]) -> None:
    """Norm the heads in another way."""
    seam.replace(affine, "head_norm", norm)


@mutant("weighted norm of heads divides by the length of the head", "AFFINE-9")
def weighted_norm_by_length(seam: Seam) -> None:
    _head_norm(seam, lambda x, w, eps: w * x / np.sqrt((x * x).sum(axis=-1, keepdims=True) + eps))


@mutant("weighted norm of heads without eps", "AFFINE-9")
def weighted_norm_without_eps(seam: Seam) -> None:
    _head_norm(seam, lambda x, w, _eps: ops.rms_norm(x, w, 1e-12))


@mutant("eps of the weighted norm of heads outside the root", "AFFINE-9")
def weighted_norm_eps_outside(seam: Seam) -> None:
    _head_norm(seam, lambda x, w, eps: w * x / (np.sqrt(np.mean(x * x, axis=-1, keepdims=True)) + eps))


@mutant("weighted norm over all heads together", "AFFINE-9")
def weighted_norm_over_all_heads(seam: Seam) -> None:
    def norm(x: Array, weight: Array, eps: float) -> Array:
        return weight * ops.rms_norm(x.reshape(len(x), -1), None, eps).reshape(x.shape)

    _head_norm(seam, norm)


@mutant("weighted norm with the mean subtracted first", "AFFINE-9")
def weighted_norm_of_centred_heads(seam: Seam) -> None:
    _head_norm(seam, lambda x, w, eps: ops.rms_norm(x - x.mean(axis=-1, keepdims=True), w, eps))


@mutant("weighted norm rounded to binary16", "AFFINE-10")
def weighted_norm_in_binary16(seam: Seam) -> None:
    _head_norm(seam, lambda x, w, eps: round_binary16(ops.rms_norm(x, w, eps)))


@mutant("weighted norm of values too", "AFFINE-9")
def weighted_norm_of_values(seam: Seam) -> None:
    def mutate(split: Callable[..., tuple[Array, Array, Array]]) -> Callable[..., Any]:
        def mutated_split(self: Attention, qkv: Array) -> tuple[Array, Array, Array]:
            q, k, v = split(self, qkv)
            weight = self.affine.k_norm
            return q, k, v if weight is None else affine.head_norm(v, weight, self.model.rms_norm_eps)

        return mutated_split

    seam.wrap(Attention, "split", mutate)


@mutant("weighted norm of queries alone", "AFFINE-9")
def weighted_norm_of_queries_alone(seam: Seam) -> None:
    def mutate(normed: Callable[..., tuple[Array, Array]]) -> Callable[..., Any]:
        def queries_alone(self: Affine, q: Array, k: Array, *arguments: Any) -> tuple[Array, Array]:
            return normed(self, q, k, *arguments)[0], k

        return queries_alone

    seam.wrap(Affine, "normed", mutate)
