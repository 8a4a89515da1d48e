"""The decoder, one position at a time, exactly as chapter Decoder specifies it, in binary64."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from operator import mul
from typing import Any

from vectors.kit import functions
from vectors.kit.activation import int8, nearest16
from vectors.kit.disturbance import Exact
from vectors.kit.matmul import Matrix, matrix
from vectors.kit.tensor import Raw, Tensor

Json = Any
Vector = list[float]
Heads = list[Vector]


class Weights:
    """The tensors of a model, decoded."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.matrices = {tensor.name: matrix(tensor) for tensor in tensors if len(tensor.shape) == 2}
        self.vectors = {
            tensor.name: tensor.values()
            for tensor in tensors
            if isinstance(tensor, Raw) and len(tensor.shape) == 1
        }


class Decoder:
    """A sequence under computation."""

    def __init__(self, model: dict[str, Json], weights: Weights, execution: Exact) -> None:
        self.model, self.weights, self.execution = model, weights, execution
        self.eps: float = model["rms_norm_eps"]
        self.frequencies = [Fraction(value) for value in weights.vectors.get("rope.inv_freq", [])]
        self.position = 0
        self.keys: list[list[Heads]] = [[] for _ in model["layers"]]  # by layer and position
        self.values: list[list[Heads]] = [[] for _ in model["layers"]]
        self.residuals: list[list[Vector]] = []  # by position and layer

    # The frame.

    def step(self, token: int) -> Vector:
        """Return the logits of the next position."""
        x = self.embed(token)
        self.residuals.append([])
        for index in range(len(self.model["layers"])):
            x = self.layer(index, x)
            self.residuals[-1].append(x)
        self.position += 1
        return self.head(x)

    def embed(self, token: int) -> Vector:
        """Return the row of the embedding."""
        return self.weights.matrices["embedding"].weights[token]

    def layer(self, index: int, x: Vector) -> Vector:
        """Return the residual stream after a layer."""
        h = self.add(x, self.attention(index, self.norm(x, f"layers.{index}.attention_norm")))
        return self.add(h, self.ffn(index, self.norm(h, f"layers.{index}.ffn_norm")))

    def head(self, x: Vector) -> Vector:
        """Return the logits."""
        name = "embedding" if self.model["tied_embeddings"] else "lm_head"
        return self.times16(self.weights.matrices[name], self.norm(x, "norm"))

    def add(self, x: Vector, y: Vector) -> Vector:
        """Return a residual sum."""
        return [self.execution.residual(a + b, a, b) for a, b in zip(x, y, strict=True)]

    def norm(self, x: Vector, name: str) -> Vector:
        """Return w * x / sqrt(mean(x^2) + eps)."""
        weight, root = self.weights.vectors[name], self.root_mean_square(x)
        return self.execution.norm([w * value / root for w, value in zip(weight, x, strict=True)])

    def root_mean_square(self, x: Vector) -> float:
        """Return sqrt(mean(x^2) + eps)."""
        return math.sqrt(math.fsum(map(mul, x, x)) / len(x) + self.eps)

    # Matrix products.

    def project(self, index: int, name: str, x: Vector) -> Vector:
        """Return the product of a layer's INT4 matrix with a vector that is rounded first."""
        of = self.weights.matrices[f"layers.{index}.{name}"]
        if index < self.model["activations"]["fp16_layers"]:
            return self.times16(of, x)
        return self.times8(of, x)

    def times16(self, of: Matrix, x: Vector) -> Vector:
        """Round to binary16 and multiply."""
        a = [nearest16(value) for value in x]
        return self.execution.matmul(of.times16(a), lambda: of.error_bound16(a))

    def times8(self, of: Matrix, x: Vector) -> Vector:
        """Round to INT8 and multiply."""
        y, error_bound = of.times8(*int8(x, self.execution.code))
        return self.execution.matmul(y, lambda: error_bound)

    # Attention.

    def attention(self, index: int, x: Vector) -> Vector:
        """Return the output of attention at the position, whose key and value enter the cache."""
        choices = self.model["layers"][index]["attention"]
        rows = self.biased(index, self.project(index, "attention.qkv", x))
        queries, keys, values = self.split(rows)
        queries, keys = self.weighted(index, "q_norm", queries), self.weighted(index, "k_norm", keys)
        if choices["rope"]:
            rotations = self.rotations()
            queries = [self.rotate(head, rotations) for head in queries]
            keys = [self.rotate(head, rotations) for head in keys]
        if choices["qk_norm"]:
            queries, keys = [self.unit(head) for head in queries], [self.unit(head) for head in keys]
        if choices["temperature"]:
            factor = self.execution.factor(self.temperature(**choices["temperature"]))
            queries = [[self.execution.product(factor * value) for value in head] for head in queries]
        self.keys[index].append([self.execution.cached(head) for head in keys])
        self.values[index].append([self.execution.cached(head) for head in values])
        visible = [k for k in range(len(self.keys[index])) if self.sees(k, choices["chunk_size"])]
        heads = [
            self.attend(index, query, self.key_value_head(j), visible) for j, query in enumerate(queries)
        ]
        return self.project(index, "attention.output", [value for head in heads for value in head])

    def biased(self, index: int, rows: Vector) -> Vector:
        """Return q, k and v plus their bias, in a layer that has one (AFFINE-8)."""
        bias = self.weights.vectors.get(f"layers.{index}.attention.qkv_bias")
        return rows if bias is None else self.add(rows, bias)

    def weighted(self, index: int, name: str, heads: Heads) -> Heads:
        """Return heads after their weighted norm, in a layer that has one (AFFINE-9)."""
        full_name = f"layers.{index}.attention.{name}"
        return [self.norm(head, full_name) for head in heads] if full_name in self.weights.vectors else heads

    def split(self, rows: Vector) -> tuple[Heads, Heads, Heads]:
        """Return query, key and value heads."""
        size, q, kv = (self.model[name] for name in ("head_dim", "num_heads", "num_kv_heads"))
        heads = [rows[start : start + size] for start in range(0, len(rows), size)]
        return heads[:q], heads[q : q + kv], heads[q + kv :]

    def key_value_head(self, query_head: int) -> int:
        """Return the key-value head that a query head attends to."""
        return query_head * int(self.model["num_kv_heads"]) // int(self.model["num_heads"])

    def rotations(self) -> list[tuple[float, float]]:
        """Return cosine and sine of each pair's angle."""
        angles = [self.position * frequency for frequency in self.frequencies]
        return [self.execution.rotation(functions.cos_sin(angle)) for angle in angles]

    def pair(self, i: int) -> tuple[int, int]:
        """Return the elements of a pair."""
        return (
            (2 * i, 2 * i + 1)
            if self.model["rope_pairing"] == "interleaved"
            else (i, i + self.model["head_dim"] // 2)
        )

    def rotate(self, head: Vector, rotations: list[tuple[float, float]]) -> Vector:
        """Return a head with position."""
        result = list(head)
        for i, (cos, sin) in enumerate(rotations):
            first, second = self.pair(i)
            a, b = head[first], head[second]
            result[first] = self.execution.sum(a * cos - b * sin, (a * cos, b * sin))
            result[second] = self.execution.sum(b * cos + a * sin, (b * cos, a * sin))
        return result

    def unit(self, head: Vector) -> Vector:
        """Return a query or key head divided by its root mean square."""
        root = self.root_mean_square(head)
        return self.execution.norm([value / root for value in head])

    def temperature(self, attn_scale: float, floor_scale: int) -> float:
        """Return by what queries are multiplied."""
        return 1 + attn_scale * functions.ln(1 + (self.position + 1) // floor_scale)

    def sees(self, k: int, chunk_size: int | None) -> bool:
        """Return whether the position attends to another, which is not after it."""
        return chunk_size is None or k // chunk_size == self.position // chunk_size

    def attend(self, index: int, query: Vector, head: int, visible: list[int]) -> Vector:
        """Return the output of one query head."""
        weights = self.softmax([self.score(query, self.keys[index][k][head]) for k in visible])
        values = [self.values[index][k][head] for k in visible]
        columns = [list(map(mul, weights, column)) for column in zip(*values, strict=True)]
        return [self.execution.sum(math.fsum(terms), terms) for terms in columns]

    def score(self, query: Vector, key: Vector) -> float:
        """Return q k / sqrt(head_dim)."""
        terms = [product / math.sqrt(len(query)) for product in map(mul, query, key)]
        return self.execution.sum(math.fsum(terms), terms)

    def softmax(self, scores: Vector) -> Vector:
        """Return the weights of the values."""
        below = [max(scores) - score for score in scores]
        exponentials = [functions.exp(-gap) for gap in below]
        total = math.fsum(exponentials)
        return self.execution.softmax([e / total for e in exponentials], below)

    # FFN.

    def ffn(self, index: int, x: Vector) -> Vector:
        """Return the output of an FFN or a mixture."""
        choices = self.model["layers"][index]["ffn"]
        if choices["moe"] is None:
            return self.one_ffn(index, "ffn", x)
        return self.mixture(index, x)

    def one_ffn(self, index: int, name: str, x: Vector) -> Vector:
        """Return the output of one FFN, which may be an expert."""
        choices = self.model["layers"][index]["ffn"]
        if choices["gated"]:
            rows = self.project(index, f"{name}.gate_up", x)
            gate, up = rows[: len(rows) // 2], rows[len(rows) // 2 :]
            inner = [
                self.execution.product(self.act(choices["activation"], g) * u)
                for g, u in zip(gate, up, strict=True)
            ]
        else:
            inner = [self.act(choices["activation"], z) for z in self.project(index, f"{name}.up", x)]
        return self.project(index, f"{name}.down", inner)

    def act(self, activation: str, z: float) -> float:
        """Return silu or gelu."""
        if activation == "silu":
            return self.execution.silu(functions.silu(z), z)
        return self.execution.gelu(functions.gelu(z), z)

    def mixture(self, index: int, x: Vector) -> Vector:
        """Return shared(x) + expert(sigmoid(r) x)."""
        router = self.weights.matrices[f"layers.{index}.ffn.router"]
        values = self.execution.matmul(router.times16(x), lambda: router.error_bound16(x))
        chosen = self.execution.expert(values)
        share = self.execution.silu(functions.sigmoid(values[chosen]), values[chosen])
        scaled = [self.execution.product(share * value) for value in x]
        expert = self.one_ffn(index, f"ffn.experts.{chosen}", scaled)
        return self.add(self.one_ffn(index, "ffn.shared", x), expert)
