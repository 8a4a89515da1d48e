"""The decoder: all positions of a sequence at once, as chapter Decoder specifies it, in binary64."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from vectors.decoder64.execution import Exact
from vectors.decoder64.matrix import Int4Matrix, Matrix, int4_matrix, raw_matrix
from vectors.decoder64.package import Array, Contents

_erf = np.vectorize(math.erf, otypes=[np.float64])


def sigmoid(z: Array) -> Array:
    """Return 1 / (1 + e^-z)."""
    e = np.exp(-np.abs(z))
    return np.asarray(np.where(z >= 0, 1.0, e) / (1 + e))


class Decoder:
    """A model with its weights."""

    def __init__(self, contents: Contents) -> None:
        self.model = contents.model
        self.raw = contents.raw
        self.int4 = {name: int4_matrix(blocks) for name, blocks in contents.blocks.items()}
        self.eps: float = self.model["rms_norm_eps"]

    # The frame.

    def logits(
        self, tokens: Sequence[int], execution: Exact, positions: Sequence[int] | None = None
    ) -> Array:
        """Return the logits of a sequence, [tokens, vocab_size], or those of some of its positions."""
        x = self.raw["embedding"][list(tokens)]
        for index, layer in enumerate(self.model["layers"]):
            name = f"layers.{index}"
            normed = self.norm(x, f"{name}.attention_norm", execution)
            h = execution.residual(x, self.attention(index, layer["attention"], normed, execution))
            normed = self.norm(h, f"{name}.ffn_norm", execution)
            x = execution.residual(h, self.ffn(index, layer["ffn"], normed, execution))
        if positions is not None:
            x = x[list(positions)]
        return self.times16(self.head(), self.norm(x, "norm", execution), execution)

    def head(self) -> Matrix:
        """Return the matrix of the head."""
        name = "embedding" if self.model["tied_embeddings"] else "lm_head"
        return self.int4[name] if name in self.int4 else raw_matrix(self.raw[name])

    def unit(self, x: Array, execution: Exact, weight: Array | float = 1.0) -> Array:
        """Return weight * x / sqrt(mean(x^2) + eps)."""
        root = np.sqrt((x * x).mean(axis=-1, keepdims=True) + self.eps)
        return execution.norm(weight * x / root)

    def norm(self, x: Array, name: str, execution: Exact) -> Array:
        """Return the norm of a layer."""
        return self.unit(x, execution, self.raw[name])

    # Matrix products.

    def project(self, index: int, name: str, x: Array, execution: Exact) -> Array:
        """Return the product of a layer's INT4 matrix with vectors that are rounded first."""
        matrix = self.int4[f"layers.{index}.{name}"]
        if index < self.model["activations"]["fp16_layers"]:
            return self.times16(matrix, x, execution)
        return self.times8(matrix, x, execution)

    def times16(self, matrix: Matrix, x: Array, execution: Exact) -> Array:
        """Round to binary16 and multiply."""
        a = execution.input16(x)
        return execution.matmul(matrix.times(a), lambda: matrix.error_bound(a))

    def times8(self, matrix: Int4Matrix, x: Array, execution: Exact) -> Array:
        """Round to INT8 and multiply."""
        y, error_bound = matrix.times8(*execution.input8(x))
        return execution.matmul(y, lambda: error_bound)

    # Attention.

    def attention(self, index: int, choices: dict[str, Any], x: Array, execution: Exact) -> Array:
        """Return the output of attention of all positions."""
        count, size = len(x), self.model["head_dim"]
        queries, groups = self.model["num_heads"], self.model["num_kv_heads"]
        qkv = self.project(index, "attention.qkv", x, execution)
        name = f"layers.{index}.attention"
        if f"{name}.qkv_bias" in self.raw:
            qkv = execution.residual(qkv, self.raw[f"{name}.qkv_bias"])
        heads_first = qkv.reshape(count, -1, size).swapaxes(0, 1)
        q, k, v = np.split(heads_first, [queries, queries + groups])  # [heads, positions, head_dim]
        if f"{name}.q_norm" in self.raw:
            q, k = self.norm(q, f"{name}.q_norm", execution), self.norm(k, f"{name}.k_norm", execution)
        if choices["rope"]:
            cos, sin = self.rotations(count, execution)
            q, k = self.rotated(q, cos, sin, execution), self.rotated(k, cos, sin, execution)
        if choices["qk_norm"]:
            q, k = self.unit(q, execution), self.unit(k, execution)
        if choices["temperature"]:
            factors = execution.factor(temperature(count, **choices["temperature"]))
            q = execution.product(factors[:, None] * q)
        k, v = execution.cached(k), execution.cached(v)
        shared = queries // groups
        visible = attends(count, choices["chunk_size"])
        heads = [attend(q[j], k[j // shared], v[j // shared], visible, execution) for j in range(queries)]
        return self.project(index, "attention.output", np.concatenate(heads, axis=1), execution)

    def rotations(self, count: int, execution: Exact) -> tuple[Array, Array]:
        """Return cosine and sine of each angle, [positions, head_dim / 2]."""
        angles = np.arange(count)[:, None] * self.raw["rope.inv_freq"]
        return execution.rotation(np.cos(angles)), execution.rotation(np.sin(angles))

    def rotated(self, heads: Array, cos: Array, sin: Array, execution: Exact) -> Array:
        """Return heads [heads, positions, head_dim] with their positions."""
        half = heads.shape[-1] // 2
        interleaved = self.model["rope_pairing"] == "interleaved"
        first = np.s_[..., 0::2] if interleaved else np.s_[..., :half]
        second = np.s_[..., 1::2] if interleaved else np.s_[..., half:]
        a, b = heads[first], heads[second]
        result = np.empty_like(heads)
        result[first] = execution.sum(a * cos - b * sin, 2, lambda: np.abs(a * cos) + np.abs(b * sin))
        result[second] = execution.sum(b * cos + a * sin, 2, lambda: np.abs(b * cos) + np.abs(a * sin))
        return result

    # FFN.

    def ffn(self, index: int, choices: dict[str, Any], x: Array, execution: Exact) -> Array:
        """Return the output of an FFN or a mixture, of all positions."""

        def network(name: str, x: Array) -> Array:
            return self.network(index, name, choices, x, execution)

        if choices["moe"] is None:
            return network("ffn", x)
        return self.mixture(f"layers.{index}.ffn.router", x, network, execution)

    def network(self, index: int, name: str, choices: dict[str, Any], x: Array, execution: Exact) -> Array:
        """Return the output of one FFN, which may be an expert."""
        first = "gate_up" if choices["gated"] else "up"
        rows = self.project(index, f"{name}.{first}", x, execution)
        if choices["gated"]:
            gate, up = np.split(rows, 2, axis=1)
            inner = execution.product(activation(choices["activation"], gate, execution) * up)
        else:
            inner = activation(choices["activation"], rows, execution)
        return self.project(index, f"{name}.down", inner, execution)

    def mixture(self, name: str, x: Array, network: Callable[[str, Array], Array], execution: Exact) -> Array:
        """Return shared(x) + expert(sigmoid(r) x)."""
        router = raw_matrix(self.raw[name])
        values = execution.matmul(router.times(x), lambda: router.error_bound(x))
        chosen = execution.experts(values)
        top = values[np.arange(len(x)), chosen][:, None]
        scaled = execution.product(execution.silu(sigmoid(top), top) * x)
        routed = np.empty_like(x)
        for expert in np.unique(chosen):
            positions = chosen == expert
            routed[positions] = network(f"ffn.experts.{expert}", scaled[positions])
        return execution.residual(network("ffn.shared", x), routed)


def temperature(count: int, attn_scale: float, floor_scale: int) -> Array:
    """Return the factor of q at each position."""
    return np.asarray(1 + attn_scale * np.log(1 + (np.arange(count) + 1) // floor_scale))


def attends(count: int, chunk_size: int | None) -> np.typing.NDArray[np.bool_]:
    """Return which key each query attends to, [queries, keys]."""
    q, k = np.arange(count)[:, None], np.arange(count)[None, :]
    chunk = chunk_size or count
    return np.asarray((k <= q) & (k // chunk == q // chunk))


def attend(q: Array, k: Array, v: Array, visible: np.typing.NDArray[np.bool_], execution: Exact) -> Array:
    """Return the output of one query head, [positions, head_dim]."""
    root = math.sqrt(q.shape[1])
    magnitude = lambda: np.abs(q) @ np.abs(k).T / root  # noqa: E731
    scores = execution.sum(q @ k.T / root, q.shape[1], magnitude)
    scores = np.where(visible, scores, -np.inf)
    below = np.where(visible, scores.max(axis=1, keepdims=True) - scores, 0)
    weights = np.where(visible, np.exp(-below), 0)
    weights /= weights.sum(axis=1, keepdims=True)
    count = visible.sum(axis=1, keepdims=True)
    weights = execution.softmax(weights, below, count)
    return execution.sum(weights @ v, count, lambda: np.abs(weights) @ np.abs(v))


def activation(name: str, z: Array, execution: Exact) -> Array:
    """Return silu or gelu."""
    if name == "silu":
        return execution.silu(z * sigmoid(z), z)
    return execution.gelu(z / 2 * (1 + _erf(z / math.sqrt(2))), z)
