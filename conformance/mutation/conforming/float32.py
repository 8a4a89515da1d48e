"""A decoder in binary32, written from the specification alone: every sum in an order that is new each time.

It is as inexact as a legal runtime on a GPU may be, and shares no code with the reference decoder.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...container.decoding import Reading
from ...container.package import eos_token_ids, read_tensor
from ...core.runtime import Info
from ...runtimes.reference import EXTENSIONS
from .kernels import Float32, Matrix, round8, round16, shuffled

_erf = np.vectorize(math.erf, otypes=[np.float32])


class Float32Runtime:
    """Claims what takes a whole decoder; `kv_cache` is what it declares, `holds` what its cache holds."""

    capabilities = frozenset({"logits", "generate"})

    def __init__(self, seed: int = 0, kv_cache: str = "f32", holds: str | None = None) -> None:
        self.info = Info("binary32", kv_cache=kv_cache, extensions=EXTENSIONS)
        self.seed = seed
        self.holds = holds or kv_cache

    def logits(self, package: Path, tokens: Sequence[int], splits: Sequence[int]) -> Float32:
        """Compute a new sequence, `splits` tokens at a time."""
        decoder = Float32Decoder(package, self.seed, self.holds)
        ends = np.cumsum(splits)[:-1]
        return np.concatenate([decoder.forward(run) for run in np.split(np.array(tokens), ends)])

    def generate(self, package: Path, tokens: Sequence[int], max_tokens: int) -> list[int]:
        """Return the tokens that follow a prompt; after a full context comes one more token (GEN-2)."""
        decoder = Float32Decoder(package, self.seed, self.holds)
        decoder.check_positions(len(tokens))
        limit = min(max_tokens, decoder.model["context_length"] - len(tokens) + 1)
        ends = eos_token_ids(package)
        generated: list[int] = []
        run = np.array(tokens)
        while len(generated) < limit:
            token = int(decoder.forward(run)[-1].argmax())
            if token in ends:
                break
            generated.append(token)
            run = np.array([token])
        return generated


class Float32Decoder:
    """The decoder of one package, and the state of one sequence."""

    def __init__(self, package: Path, seed: int, holds: str) -> None:
        metadata = json.loads((package / "metadata.json").read_text(encoding="utf-8"))
        self.model = metadata["model"]
        self.tensors = {t["name"]: read_tensor(package, t["name"]) for t in metadata["tensors"]}
        self.weights: dict[str, Float32] = {}
        self.matrices: dict[str, Matrix] = {}
        self.total = shuffled(seed)
        self.dtype = np.float16 if holds == "f16" else np.float32
        self.cache: dict[int, tuple[NDArray[Any], NDArray[Any]]] = {}
        self.length = 0

    def raw(self, name: str) -> Float32:
        """Return the weights of a tensor."""
        if name not in self.weights:
            self.weights[name] = Reading()(self.tensors[name])
        return self.weights[name]

    def matmul(self, name: str, x: Float32, layer: int) -> Float32:
        """Return a matrix times rounded vectors."""
        if name not in self.matrices:
            self.matrices[name] = Matrix(self.tensors[name])
        matrix = self.matrices[name]
        if layer < self.model["activations"]["fp16_layers"]:
            return matrix.plain(round16(x), self.total)
        return matrix.integers(*round8(x), self.total)

    def norm(self, x: Float32, weight: Float32 | None) -> Float32:
        """Return x over its root mean square, by a reciprocal."""
        mean = self.total(x * x)[..., None] / np.float32(x.shape[-1])
        y: Float32 = x * (np.float32(1) / np.sqrt(mean + np.float32(self.model["rms_norm_eps"])))
        return y if weight is None else y * weight

    def check_positions(self, count: int) -> None:
        """Raise ValueError if a sequence of `count` positions does not fit into the context (DEC-22)."""
        context = self.model["context_length"]
        if count > context:
            raise ValueError(f"{count} positions do not fit into a context of {context}")

    def forward(self, tokens: NDArray[np.int64]) -> Float32:
        """Compute the next positions and return their logits."""
        self.check_positions(self.length + len(tokens))
        positions = np.arange(self.length, self.length + len(tokens))
        x = self.raw("embedding")[tokens]
        for number, layer in enumerate(self.model["layers"]):
            name = f"layers.{number}"
            normed = self.norm(x, self.raw(f"{name}.attention_norm"))
            x = x + self.attention(number, layer["attention"], normed, positions)
            x = x + self.ffn(number, layer["ffn"], self.norm(x, self.raw(f"{name}.ffn_norm")))
        self.length += len(tokens)
        head = self.raw("embedding" if self.model["tied_embeddings"] else "lm_head")
        return self.total(round16(self.norm(x, self.raw("norm")))[:, None] * head)

    def attention(
        self, number: int, config: dict[str, Any], x: Float32, positions: NDArray[np.int64]
    ) -> Float32:
        """Return the attention of new positions; the cache grows."""
        model = self.model
        heads, groups, size = model["num_heads"], model["num_kv_heads"], model["head_dim"]
        name = f"layers.{number}.attention"
        qkv = self.matmul(f"{name}.qkv", x, number)
        if f"{name}.qkv_bias" in self.tensors:
            qkv = qkv + self.raw(f"{name}.qkv_bias")
        q, k, v = np.split(qkv.reshape(len(x), -1, size), [heads, heads + groups], axis=1)
        if f"{name}.q_norm" in self.tensors:
            q, k = self.norm(q, self.raw(f"{name}.q_norm")), self.norm(k, self.raw(f"{name}.k_norm"))
        if config["rope"]:
            q, k = self.rotated(q, positions), self.rotated(k, positions)
        if config["qk_norm"]:
            q, k = self.norm(q, None), self.norm(k, None)
        if config["temperature"]:
            steps = (positions + 1) // config["temperature"]["floor_scale"]
            factor = 1 + config["temperature"]["attn_scale"] * np.log(1.0 + steps)
            q = q * factor.astype(np.float32)[:, None, None]
        if self.dtype is np.float16:
            k, v = round16(k, flush=False), round16(v, flush=False)  # 65504 instead of infinity
        keys, values = k.astype(self.dtype), v.astype(self.dtype)
        if number in self.cache:
            keys = np.concatenate([self.cache[number][0], keys])
            values = np.concatenate([self.cache[number][1], values])
        self.cache[number] = keys, values
        return self.matmul(
            f"{name}.output",
            np.stack([self.attended(q[i], keys, values, int(p), config) for i, p in enumerate(positions)]),
            number,
        )

    def attended(
        self, q: Float32, keys: NDArray[Any], values: NDArray[Any], position: int, config: dict[str, Any]
    ) -> Float32:
        """Return the heads' outputs of one position, concatenated."""
        start = position // config["chunk_size"] * config["chunk_size"] if config["chunk_size"] else 0
        visible = slice(start, position + 1)
        repeat = len(q) // keys.shape[1]
        k = keys[visible].astype(np.float32).repeat(repeat, axis=1).swapaxes(0, 1)
        v = values[visible].astype(np.float32).repeat(repeat, axis=1).transpose(1, 2, 0)
        scores = self.total(q[:, None] * k) * np.float32(1 / math.sqrt(q.shape[-1]))
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return (self.total(weights[:, None] * v) / self.total(weights)[:, None]).reshape(-1)

    def rotated(self, x: Float32, positions: NDArray[np.int64]) -> Float32:
        """Return heads after RoPE."""
        half = x.shape[-1] // 2
        low, high = np.arange(half), np.arange(half, 2 * half)
        if self.model["rope_pairing"] == "interleaved":
            low, high = 2 * np.arange(half), 2 * np.arange(half) + 1
        angles = positions[:, None, None] * self.raw("rope.inv_freq").astype(np.float64)
        cos, sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
        a, b = x[..., low], x[..., high]
        turned = np.empty_like(x)
        turned[..., low], turned[..., high] = a * cos - b * sin, b * cos + a * sin
        return turned

    def ffn(self, number: int, config: dict[str, Any], x: Float32) -> Float32:
        """Return a feed-forward network, or the shared one and one of several."""
        name = f"layers.{number}.ffn"
        if not config["moe"]:
            return self.dense(name, number, config, x)
        values = self.total(x[:, None] * self.raw(f"{name}.router"))
        experts = values.argmax(axis=1)
        score = np.float32(1) / (1 + np.exp(-values.max(axis=1, keepdims=True)))
        routed = [
            self.dense(f"{name}.experts.{expert}", number, config, (score * x)[i : i + 1])
            for i, expert in enumerate(experts)
        ]
        return self.dense(f"{name}.shared", number, config, x) + np.concatenate(routed)

    def dense(self, name: str, layer: int, config: dict[str, Any], x: Float32) -> Float32:
        """Return down(act(gate x) ⊙ up x), or down(act(up x))."""
        if not config["gated"]:
            hidden = activate(config["activation"], self.matmul(f"{name}.up", x, layer))
        else:
            gate, up = np.split(self.matmul(f"{name}.gate_up", x, layer), 2, axis=1)
            hidden = activate(config["activation"], gate) * up
        return self.matmul(f"{name}.down", hidden, layer)


def activate(name: str, z: Float32) -> Float32:
    """Return silu or gelu."""
    if name == "silu":
        with np.errstate(over="ignore"):
            silu: Float32 = z / (1 + np.exp(-z))
            return silu
    gelu: Float32 = z / 2 * (1 + _erf(z * np.float32(math.sqrt(0.5))))
    return gelu
