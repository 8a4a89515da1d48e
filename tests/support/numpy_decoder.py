"""A second decoder: packages from their bytes, whole sequences at once, in NumPy and binary64."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def tensors(package: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the model and the tensors of a package."""
    metadata = json.loads((package / "metadata.json").read_text())
    shards = [(package / entry["file"]).read_bytes() for entry in metadata["shards"]]
    decoded = {}
    for tensor in metadata["tensors"]:
        (part,) = tensor["parts"]
        data = shards[part["shard"]][part["offset"] : part["offset"] + part["byte_length"]]
        decoded[tensor["name"]] = values(tensor["dtype"], tensor["shape"], data)
    return metadata["model"], decoded


def values(dtype: str, shape: list[int], data: bytes) -> Array:
    """Return the weights of a tensor that is one part."""
    if dtype in {"f16", "f32"}:
        flat = np.frombuffer(data, "<f2" if dtype == "f16" else "<f4")[: math.prod(shape)]
        return flat.reshape(shape).astype(np.float64)
    scale, zero_point, codes = quantized(dtype, shape, data)
    return scale * (codes - zero_point)


def quantized(dtype: str, shape: list[int], data: bytes) -> tuple[Array, Array, Array]:
    """Return scale, zero_point and code of each element of an INT4 tensor that is one part."""
    down, across = -(-shape[0] // 64), -(-shape[1] // 64)
    n = down * across
    scale = np.frombuffer(data, "<f2", n, 256).astype(np.float64)
    at = 256 + -(-2 * n // 256) * 256
    zero_point = np.full(n, 8.0)
    if dtype == "int4_affine":
        zero_point = np.frombuffer(data, "i1", n, at).astype(np.float64)
        at += -(-n // 256) * 256
    planes = np.frombuffer(data, np.uint8, 2048 * n, at).reshape(n, 2, 1024, 1)
    low, high = np.moveaxis(planes >> np.array([0, 2, 4, 6], np.uint8) & 3, 1, 0).reshape(2, n, 64, 64)

    def laid_out(blocks: Array) -> Array:
        square = np.broadcast_to(blocks, (n, 64, 64)).reshape(down, across, 64, 64)
        return square.swapaxes(1, 2).reshape(64 * down, 64 * across)[: shape[0], : shape[1]]

    return laid_out(scale[:, None, None]), laid_out(zero_point[:, None, None]), laid_out(low + 4.0 * high)


def rounded(x: Array, *, binary16: bool) -> Array:
    """Return vectors as they enter an INT4 matmul."""
    if binary16:
        halves: Array = np.clip(x, -65504, 65504).astype(np.float16).astype(np.float64)
        return halves
    greatest = np.abs(x).max(axis=-1, keepdims=True)
    codes: Array = np.rint(127 * x / np.where(greatest == 0, 1, greatest))
    product: Array = codes * (greatest / 127)
    return product


def silu(z: Array) -> Array:
    """Return z / (1 + e^-z)."""
    e = np.exp(-np.abs(z))
    result: Array = z * np.where(z >= 0, 1, e) / (1 + e)
    return result


def gelu(z: Array) -> Array:
    """Return z/2 (1 + erf(z / sqrt 2))."""
    result: Array = z / 2 * (1 + np.vectorize(math.erf)(z / math.sqrt(2)))
    return result


class NumpyDecoder:
    """A model."""

    def __init__(self, package: Path) -> None:
        self.model, self.tensors = tensors(package)

    def logits(self, tokens: list[int]) -> tuple[Array, Array]:
        """Return logits by position, and residuals by layer and position."""
        x = self.tensors["embedding"][tokens]
        residuals = []
        for index in range(len(self.model["layers"])):
            h = x + self.attention(index, self.norm(x, f"layers.{index}.attention_norm"))
            x = h + self.ffn(index, self.norm(h, f"layers.{index}.ffn_norm"))
            residuals.append(x)
        head = self.tensors["embedding" if self.model["tied_embeddings"] else "lm_head"]
        return rounded(self.norm(x, "norm"), binary16=True) @ head.T, np.array(residuals)

    def unit(self, x: Array) -> Array:
        """Return vectors divided by their root mean square."""
        root: Array = np.sqrt((x * x).mean(axis=-1, keepdims=True) + self.model["rms_norm_eps"])
        return x / root

    def norm(self, x: Array, name: str) -> Array:
        """Return normed vectors."""
        return self.tensors[name] * self.unit(x)

    def project(self, index: int, name: str, x: Array) -> Array:
        """Return products with a matrix of a layer."""
        binary16 = index < self.model["activations"]["fp16_layers"]
        product: Array = rounded(x, binary16=binary16) @ self.tensors[f"layers.{index}.{name}"].T
        return product

    def attention(self, index: int, x: Array) -> Array:
        """Return the output of attention, of all positions."""
        choices = self.model["layers"][index]["attention"]
        positions, size = np.arange(len(x)), self.model["head_dim"]
        query_heads, heads = self.model["num_heads"], self.model["num_kv_heads"]
        name = f"layers.{index}.attention"
        qkv = self.project(index, "attention.qkv", x) + self.tensors.get(f"{name}.qkv_bias", 0)
        q, k, v = np.split(qkv.reshape(len(x), -1, size).swapaxes(0, 1), [query_heads, query_heads + heads])
        if f"{name}.q_norm" in self.tensors:
            q, k = self.norm(q, f"{name}.q_norm"), self.norm(k, f"{name}.k_norm")
        if choices["rope"]:
            q, k = self.rotated(q, positions), self.rotated(k, positions)
        if choices["qk_norm"]:
            q, k = self.unit(q), self.unit(k)
        if choices["temperature"]:
            scale, floor = choices["temperature"]["attn_scale"], choices["temperature"]["floor_scale"]
            q = q * (1 + scale * np.log(1 + (positions + 1) // floor))[:, None]
        k, v = (np.repeat(heads_of, query_heads // heads, axis=0) for heads_of in (k, v))
        scores = q @ k.swapaxes(1, 2) / math.sqrt(size)
        chunk = positions // (choices["chunk_size"] or len(x))
        visible = (positions[:, None] >= positions) & (chunk[:, None] == chunk)
        scores = np.where(visible, scores, -np.inf)
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        output = weights / weights.sum(axis=-1, keepdims=True) @ v
        return self.project(index, "attention.output", output.swapaxes(0, 1).reshape(len(x), -1))

    def rotated(self, heads: Array, positions: npt.NDArray[np.int64]) -> Array:
        """Return heads with positions."""
        pairs = heads.shape[-1] // 2
        angles = positions[:, None] * self.tensors["rope.inv_freq"]
        cos, sin = np.cos(angles), np.sin(angles)
        interleaved = self.model["rope_pairing"] == "interleaved"
        first = np.s_[..., 0::2] if interleaved else np.s_[..., :pairs]
        second = np.s_[..., 1::2] if interleaved else np.s_[..., pairs:]
        result = np.empty_like(heads)
        result[first] = heads[first] * cos - heads[second] * sin
        result[second] = heads[second] * cos + heads[first] * sin
        return result

    def ffn(self, index: int, x: Array) -> Array:
        """Return the output of an FFN or a mixture, of all positions."""
        if self.model["layers"][index]["ffn"]["moe"] is None:
            return self.one_ffn(index, "ffn", x)
        values = x @ self.tensors[f"layers.{index}.ffn.router"].T
        chosen = values.argmax(axis=1)
        scaled = x / (1 + np.exp(-values.max(axis=1, keepdims=True)))
        experts = [
            self.one_ffn(index, f"ffn.experts.{e}", row[None])[0]
            for e, row in zip(chosen, scaled, strict=True)
        ]
        return np.array(experts) + self.one_ffn(index, "ffn.shared", x)

    def one_ffn(self, index: int, name: str, x: Array) -> Array:
        """Return the output of one FFN."""
        choices = self.model["layers"][index]["ffn"]
        act = {"silu": silu, "gelu": gelu}[choices["activation"]]
        if choices["gated"]:
            gate, up = np.split(self.project(index, f"{name}.gate_up", x), 2, axis=1)
            inner = act(gate) * up
        else:
            inner = act(self.project(index, f"{name}.up", x))
        return self.project(index, f"{name}.down", inner)
