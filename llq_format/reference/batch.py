"""The decoder over many sequences at once, a layer at a time, its matrices multiplied by the caller.

What the exporter and the evaluation need: they decide which weights multiply, and see what enters each
matrix. All is computed in the dtype of the activations, float32 or float64; a layer's weights alone are
needed at a time. The caller rounds inputs, if it wants to (LLQ-ACT-1, LLQ-ACT-2).
"""

import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from llq_format.metadata.model import FFN, Attention, Layer, Model
from llq_format.reference.attention import attends, temperature_factors
from llq_format.reference.ops import gelu, rms_norm

Floats = NDArray[Any]
"""float32 or float64, one of them throughout."""

Weights = Mapping[str, Floats]
"""The tensors of one layer by their names without `layers.N.`: `attention_norm`, `ffn.down` and so on."""


class Multiply(Protocol):
    """How a matrix is multiplied."""

    def __call__(self, name: str, x: Floats, tokens: NDArray[np.intp] | None) -> Floats:
        """Return y = W x for vectors x [n, cols], as [n, rows]; W is the layer's matrix `name`.

        tokens: which positions of the batch these are, [n], sequence after sequence; None for all.
        """


def multiplied_by(weights: Weights) -> Multiply:
    """Return the multiplication by weights [rows, cols]."""
    return lambda name, x, _tokens: x @ weights[name].T


def run_layer(  # noqa: PLR0913  # what a layer consists of
    model: Model, layer: Layer, raw: Weights, inv_freq: Floats | None, x: Floats, *, multiply: Multiply
) -> Floats:
    """Return the residual stream after a layer, [sequences, tokens, hidden], which is x before it.

    raw: at least the norms and, for experts, the router; inv_freq: [head_dim / 2] where there is RoPE.
    Every sequence begins at position 0. `multiply` is called for `attention.qkv`, `attention.output` and the
    matrices of the FFN in the order of their data; of experts, for the shared one first and then for those
    alone that have a token.
    """
    eps = model.rms_norm_eps
    normed = _norm(x, raw["attention_norm"], eps)
    qkv = multiply("attention.qkv", normed.reshape(-1, x.shape[-1]), None)
    heads = _attention(model, layer.attention, inv_freq, qkv.reshape(*x.shape[:2], -1))
    x = x + multiply("attention.output", heads, None).reshape(x.shape)
    normed = _norm(x, raw["ffn_norm"], eps).reshape(-1, x.shape[-1])
    return x + _ffn(layer.ffn, raw, normed, multiply).reshape(x.shape)


def final_norm(model: Model, weight: Floats, x: Floats) -> Floats:
    """Return what enters the head, [sequences, tokens, hidden]."""
    return _norm(x, weight, model.rms_norm_eps)


def _norm(x: Floats, weight: Floats, eps: float) -> Floats:
    return rms_norm(x, weight.astype(x.dtype), eps).astype(x.dtype, copy=False)


def _attention(model: Model, config: Attention, inv_freq: Floats | None, qkv: Floats) -> Floats:
    """Return the heads' outputs, [sequences · tokens, heads · head_dim], of qkv [sequences, tokens, rows]."""
    sequences, length, _ = qkv.shape
    dtype = qkv.dtype
    positions = np.arange(length, dtype=np.float64)
    mask = np.where(attends(positions, positions, config.chunk_size), 0, -np.inf).astype(dtype)
    factors = np.full(length, 1 / math.sqrt(model.head_dim))
    if config.temperature is not None:
        factors = factors * temperature_factors(positions, config.temperature)
    out = np.empty((sequences, length, model.num_heads * model.head_dim), dtype)
    group = model.num_heads // model.num_kv_heads
    for number, rows in enumerate(qkv):  # one sequence at a time: scores grow with its square
        heads = rows.reshape(length, -1, model.head_dim).swapaxes(0, 1)  # [heads, tokens, head_dim]
        turned, values = heads[: -model.num_kv_heads], heads[-model.num_kv_heads :]
        if config.rope:
            assert inv_freq is not None  # noqa: S101  # LLQ-TENSOR-3 holds
            turned = _rotate(turned, positions[:, None] * inv_freq, model.rope_pairing)
        if config.qk_norm:
            turned = _norm(turned, np.ones(1), model.rms_norm_eps)
        q = turned[: model.num_heads] * factors.astype(dtype)[:, None]
        keys = turned[model.num_heads :]
        q = q.reshape(model.num_kv_heads, group, length, model.head_dim)
        scores = q @ keys[:, None].swapaxes(-1, -2)  # [kv heads, group, queries, keys]
        scores += mask
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        attended = (scores @ values[:, None]).reshape(model.num_heads, length, model.head_dim)
        out[number] = attended.swapaxes(0, 1).reshape(length, -1)
    return out.reshape(sequences * length, -1)


def _rotate(x: Floats, angles: Floats, pairing: str) -> Floats:
    """Rotate the pairs of heads (LLQ-DEC-5); x [heads, tokens, head_dim], angles [tokens, head_dim / 2]."""
    half = x.shape[-1] // 2
    first, second = slice(0, half), slice(half, None)
    if pairing == "interleaved":
        first, second = slice(0, None, 2), slice(1, None, 2)
    cos, sin = np.cos(angles).astype(x.dtype), np.sin(angles).astype(x.dtype)
    rotated = np.empty_like(x)
    rotated[..., first] = x[..., first] * cos - x[..., second] * sin
    rotated[..., second] = x[..., second] * cos + x[..., first] * sin
    return rotated


def _ffn(config: FFN, raw: Weights, x: Floats, multiply: Multiply) -> Floats:
    """Return the feed-forward network's output for vectors x [n, hidden]."""
    if config.moe is None:
        return _dense(config, "ffn", x, None, multiply)
    values = x @ raw["ffn.router"].astype(x.dtype).T
    chosen = values.argmax(axis=-1)  # the first among equals
    scores = 1 / (1 + np.exp(-values[np.arange(len(x)), chosen]))
    y = _dense(config, "ffn.shared", x, None, multiply)
    for expert in range(config.moe.num_experts):
        tokens = np.flatnonzero(chosen == expert)
        if len(tokens):
            given = scores[tokens, None] * x[tokens]
            y[tokens] += _dense(config, f"ffn.experts.{expert}", given, tokens, multiply)
    return y


def _dense(
    config: FFN, prefix: str, x: Floats, tokens: NDArray[np.intp] | None, multiply: Multiply
) -> Floats:
    if not config.gated:
        hidden = _activation(config, multiply(f"{prefix}.up", x, tokens))
        return multiply(f"{prefix}.down", hidden, tokens)
    both = multiply(f"{prefix}.gate_up", x, tokens)
    size = both.shape[-1] // 2
    return multiply(f"{prefix}.down", _activation(config, both[:, :size]) * both[:, size:], tokens)


def _activation(config: FFN, z: Floats) -> Floats:
    if config.activation == "gelu":
        return gelu(z).astype(z.dtype)
    with np.errstate(over="ignore"):  # e^−z may be infinite: the quotient is then 0, as it should be
        return np.asarray(z / (1 + np.exp(-z)))
