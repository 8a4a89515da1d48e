"""The decoder over many sequences at once, a layer at a time, its matrices multiplied by the caller.

The exporter and the evaluation use it: they select the weights and observe the inputs of each matrix. All is
computed in the dtype of the activations, float32 or float64; a layer's weights alone are needed at a time.
The caller rounds inputs, if it wants to (LLQ-ACT-1, LLQ-ACT-2).
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from llq_format.metadata.model import FFN, Attention, Layer, Model
from llq_format.reference.attention import attends, positioned, split_heads
from llq_format.reference.ffn import combine
from llq_format.reference.moe import choose
from llq_format.reference.ops import gelu, rms_norm, softmax

Floats = NDArray[Any]
"""float32 or float64, one of them throughout."""

Weights = Mapping[str, Floats]
"""The tensors of one layer by their names without `layers.N.`: `attention_norm`, `ffn.down` and so on."""


class Multiply(Protocol):
    """A multiplication by a matrix."""

    def __call__(self, name: str, x: Floats, tokens: NDArray[np.intp] | None) -> Floats:
        """Return y = W x for vectors x [n, cols], as [n, rows]; W is the layer's matrix `name`.

        tokens: which positions of the batch these are, [n], sequence after sequence; None for all.
        """


def multiplied_by(weights: Weights) -> Multiply:
    """Return the multiplication by weights [rows, cols]."""
    return lambda name, x, _tokens: x @ weights[name].T


def run_layer(  # noqa: PLR0913  # the parts of a layer
    model: Model, layer: Layer, raw: Weights, inv_freq: Floats | None, x: Floats, *, multiply: Multiply
) -> Floats:
    """Return the residual stream after a layer, [sequences, tokens, hidden], which is x before it.

    raw: at least the norms, biases and, for experts, the router; inv_freq: [head_dim / 2] where there is
    RoPE. Every sequence begins at position 0. `multiply` is called for `attention.qkv`, `attention.output`
    and the matrices of the FFN in the order of their data; of experts, for the shared one first and then for
    those alone that have a token.
    """
    eps = model.rms_norm_eps
    normed = _norm(x, raw["attention_norm"], eps)
    qkv = multiply("attention.qkv", normed.reshape(-1, x.shape[-1]), None)
    if layer.attention.qkv_bias:
        qkv = qkv + raw["attention.qkv_bias"].astype(x.dtype)
    heads = _attention(model, layer.attention, raw, inv_freq, qkv.reshape(*x.shape[:2], -1))
    x = x + multiply("attention.output", heads, None).reshape(x.shape)
    normed = _norm(x, raw["ffn_norm"], eps).reshape(-1, x.shape[-1])
    return x + _ffn(layer.ffn, raw, normed, multiply).reshape(x.shape)


def final_norm(model: Model, weight: Floats, x: Floats) -> Floats:
    """Return the input of the head, [sequences, tokens, hidden]."""
    return _norm(x, weight, model.rms_norm_eps)


def _norm(x: Floats, weight: Floats, eps: float) -> Floats:
    return rms_norm(x, weight.astype(x.dtype), eps).astype(x.dtype, copy=False)


def _attention(model: Model, config: Attention, raw: Weights, inv_freq: Floats | None, qkv: Floats) -> Floats:
    """Return the heads' outputs, [sequences · tokens, heads · head_dim], of qkv [sequences, tokens, rows]."""
    sequences, length, _ = qkv.shape
    positions = np.arange(length, dtype=np.float64)
    mask = np.where(attends(positions, positions, config.chunk_size), 0, -np.inf).astype(qkv.dtype)
    out = np.empty((sequences, length, model.num_heads * model.head_dim), qkv.dtype)
    group = model.num_heads // model.num_kv_heads
    for number, rows in enumerate(qkv):  # one sequence at a time: scores grow with its square
        q, k, v = split_heads(model, rows)
        if config.weighted_qk_norm:
            q, k = (
                _norm(heads, raw[f"attention.{name}_norm"], model.rms_norm_eps)
                for name, heads in (("q", q), ("k", k))
            )
        q, k = positioned(model, config, q, k, positions=positions, inv_freq=inv_freq)
        queries = (q / math.sqrt(model.head_dim)).swapaxes(0, 1)
        queries = queries.reshape(model.num_kv_heads, group, length, model.head_dim)
        keys, values = (heads.swapaxes(0, 1)[:, None] for heads in (k, v))
        scores = queries @ keys.swapaxes(-1, -2)  # [kv heads, group, queries, keys]
        scores += mask
        attended = (softmax(scores) @ values).reshape(model.num_heads, length, model.head_dim)
        out[number] = attended.swapaxes(0, 1).reshape(length, -1)
    return out.reshape(sequences * length, -1)


def _ffn(config: FFN, raw: Weights, x: Floats, multiply: Multiply) -> Floats:
    """Return the feed-forward network's output for vectors x [n, hidden]."""
    if config.moe is None:
        return _network(config, "ffn", None, multiply)(x)
    experts, scores = choose(x @ raw["ffn.router"].astype(x.dtype).T)
    y = _network(config, "ffn.shared", None, multiply)(x)
    for expert in range(config.moe.num_experts):
        tokens = np.flatnonzero(experts == expert)
        if len(tokens):
            network = _network(config, f"ffn.experts.{expert}", tokens, multiply)
            y[tokens] += network(scores[tokens, None] * x[tokens])
    return y


def _network(
    config: FFN, prefix: str, tokens: NDArray[np.intp] | None, multiply: Multiply
) -> Callable[[Floats], Floats]:
    """Return a dense network whose matrices the caller multiplies, for these tokens."""
    first = f"{prefix}.{'gate_up' if config.gated else 'up'}"
    activation = _ACTIVATIONS[config.activation]

    def network(x: Floats) -> Floats:
        hidden = combine(multiply(first, x, tokens), activation, gated=config.gated)
        return multiply(f"{prefix}.down", hidden, tokens)

    return network


def _silu(z: Floats) -> Floats:
    """Return silu ten times as fast as `ops.silu`, and less exact where e^−z is large."""
    with np.errstate(over="ignore"):  # e^−z may be infinite: the quotient is then 0, as it should be
        return np.asarray(z / (1 + np.exp(-z)))


_ACTIVATIONS = {"silu": _silu, "gelu": lambda z: gelu(z).astype(z.dtype)}
