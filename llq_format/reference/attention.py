"""Attention of one layer, with its KV cache (spec: Decoder, Attention; LLQ-DEC-4 to LLQ-DEC-11)."""

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from llq_format.metadata.model import Attention as AttentionConfig
from llq_format.metadata.model import Model, Temperature
from llq_format.reference.activations import Array, round_binary16
from llq_format.reference.affine import NO_AFFINE, Affine
from llq_format.reference.matrix import Matrix
from llq_format.reference.observation import Observe, project, unobserved
from llq_format.reference.ops import rms_norm, softmax
from llq_format.reference.rope import rotate

KVPrecision = Literal["float64", "float32", "float16"]


@dataclass
class KVCache:
    """Keys (after RoPE and norm) and values of one layer and sequence, [positions, kv_heads, head_dim]."""

    precision: KVPrecision = "float64"
    keys: list[Array] = field(default_factory=list)
    values: list[Array] = field(default_factory=list)

    def extend(self, keys: Array, values: Array) -> tuple[Array, Array]:
        """Append the keys and values of new positions and return all of them, as float64 (LLQ-NUM-2)."""
        for cache, new in ((self.keys, keys), (self.values, values)):
            held = round_binary16(new) if self.precision == "float16" else new  # 65504 instead of infinity
            cache[:] = [np.concatenate([*cache, held.astype(self.precision)])]
        return self.keys[0].astype(np.float64), self.values[0].astype(np.float64)


def temperature_factors(positions: Array, temperature: Temperature) -> Array:
    """Return the factor of q at each position, float64 [tokens] (LLQ-DEC-8)."""
    steps = np.floor((positions + 1) / temperature.floor_scale)
    return np.asarray(1 + temperature.attn_scale * np.log(1 + steps))


def attends(queries: Array, keys: Array, chunk_size: int | None) -> NDArray[np.bool_]:
    """Return which key positions a query position attends to, bool [queries, keys] (LLQ-DEC-10)."""
    q, k = queries[:, None], keys[None, :]
    causal = k <= q
    return causal if chunk_size is None else causal & (k // chunk_size == q // chunk_size)


def split_heads(model: Model, qkv: Array) -> tuple[Array, Array, Array]:
    """Split the fused projection, [tokens, rows], into heads of q, k and v (LLQ-DEC-4)."""
    heads = qkv.reshape(len(qkv), model.num_heads + 2 * model.num_kv_heads, model.head_dim)
    first_value = model.num_heads + model.num_kv_heads
    return heads[:, : model.num_heads], heads[:, model.num_heads : first_value], heads[:, first_value:]


def positioned(  # noqa: PLR0913  # what positions heads
    model: Model,
    config: AttentionConfig,
    q: Array,
    k: Array,
    *,
    positions: Array,
    inv_freq: Array | None,
    observe: Observe = unobserved,
) -> tuple[Array, Array]:
    """Return q and k [tokens, heads, head_dim] after RoPE, norm and temperature (LLQ-DEC-5 to LLQ-DEC-8)."""
    if config.rope:
        assert inv_freq is not None  # noqa: S101  # LLQ-TENSOR-3 holds
        angles = positions[:, None] * inv_freq
        q, k = rotate(q, angles, model.rope_pairing), rotate(k, angles, model.rope_pairing)
    q, k = observe("rope.q", q), observe("rope.k", k)
    if config.qk_norm:
        q, k = rms_norm(q, None, model.rms_norm_eps), rms_norm(k, None, model.rms_norm_eps)
    q, k = observe("qk_norm.q", q), observe("qk_norm.k", k)
    if config.temperature is not None:
        factors = temperature_factors(positions, config.temperature).astype(q.dtype, copy=False)
        q = q * factors[:, None, None]
    return observe("temperature.q", q), k


def weighted_values(weights: Array, values: Array) -> Array:
    """Return the outputs of the heads, concatenated, [tokens, heads · head_dim] (LLQ-DEC-11).

    weights: [tokens, heads, positions]; values: [positions, kv_heads, head_dim].
    """
    tokens, kv_heads = len(weights), values.shape[1]
    grouped = weights.reshape(tokens, kv_heads, -1, len(values))
    return np.asarray(np.einsum("thgp,phd->thgd", grouped, values).reshape(tokens, -1))


class Attention:
    """Attention of one layer."""

    def __init__(  # noqa: PLR0913, PLR0917  # the parts of the attention
        self,
        model: Model,
        config: AttentionConfig,
        qkv: Matrix,
        output: Matrix,
        inv_freq: Array | None,
        affine: Affine = NO_AFFINE,
    ) -> None:
        self.model = model
        self.config = config
        self.qkv = qkv
        self.output = output
        self.inv_freq = inv_freq
        self.affine = affine

    def __call__(self, x: Array, positions: Array, cache: KVCache, observe: Observe = unobserved) -> Array:
        """Return attention(x), [tokens, hidden], for new positions, float64 [tokens]; the cache grows."""
        model, config = self.model, self.config
        q, k, v = self.split(self.affine.biased(project(self.qkv, "qkv", x, observe), observe))
        q, k, v = observe("q", q), observe("k", k), observe("v", v)  # [tokens, heads, head_dim]
        q, k = self.affine.normed(q, k, model.rms_norm_eps, observe)
        q, k = positioned(model, config, q, k, positions=positions, inv_freq=self.inv_freq, observe=observe)
        keys, values = cache.extend(k, v)  # [all positions, kv_heads, head_dim]
        keys, values = observe("keys", keys), observe("values", values)
        scores = observe("scores", self.scores(q, keys))
        mask = attends(positions, np.arange(len(keys), dtype=np.float64), config.chunk_size)
        weights = observe("weights", softmax(np.where(mask[:, None, :], scores, -np.inf)))
        heads = observe("heads", weighted_values(weights, values))
        return project(self.output, "output", heads, observe)

    def split(self, qkv: Array) -> tuple[Array, Array, Array]:
        """Split the fused projection into heads of q, k and v."""
        return split_heads(self.model, qkv)

    def scores(self, q: Array, keys: Array) -> Array:
        """Return the scores before masking, [tokens, heads, positions] (LLQ-DEC-4, LLQ-DEC-9)."""
        model = self.model
        grouped = q.reshape(len(q), model.num_kv_heads, -1, model.head_dim)  # head j reads kv head j // group
        scores = np.einsum("thgd,phd->thgp", grouped, keys) / math.sqrt(model.head_dim)
        return np.asarray(scores.reshape(len(q), model.num_heads, len(keys)))
