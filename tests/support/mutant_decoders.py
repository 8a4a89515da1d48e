"""Decoders that are each wrong in one way seen in the wild, as small changes of the kit's decoder."""

# ruff: noqa: D102  # methods match the methods they replace, except in the difference that the class names

import math
import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from vectors.kit import functions
from vectors.kit.activation import int8, nearest16
from vectors.kit.decoder import Decoder, Heads, Vector
from vectors.kit.disturbance import Exact
from vectors.kit.matmul import Matrix

MUTANTS: dict[str, tuple[type[Decoder], tuple[str, ...]]] = {}


def breaks(*rules: str) -> Any:
    """Register a decoder, under its docstring, with the rules that it breaks."""

    def register(cls: type[Decoder]) -> type[Decoder]:
        MUTANTS[(cls.__doc__ or "").rstrip(".")] = cls, tuple(f"LLQ-{rule}" for rule in rules)
        return cls

    return register


def nearest8(x: float) -> float:
    """Return a number rounded to four significant bits: an 8-bit float."""
    mantissa, exponent = math.frexp(x)
    return math.ldexp(round(mantissa * 16) / 16, exponent)


@breaks("DEC-1")
class Scaled(Decoder):
    """Embedding scaled by the root of hidden_size."""

    def embed(self, token: int) -> Vector:
        row = super().embed(token)
        return [value * math.sqrt(len(row)) for value in row]


@breaks("DEC-2")
class Parallel(Decoder):
    """FFN parallel to attention."""

    def layer(self, index: int, x: Vector) -> Vector:
        h = self.add(x, self.attention(index, self.norm(x, f"layers.{index}.attention_norm")))
        return self.add(h, self.ffn(index, self.norm(x, f"layers.{index}.ffn_norm")))


@breaks("DEC-2")
class PostNorm(Decoder):
    """Residual of the normed vector."""

    def layer(self, index: int, x: Vector) -> Vector:
        normed = self.norm(x, f"layers.{index}.attention_norm")
        h = self.add(normed, self.attention(index, normed))
        return self.add(h, self.ffn(index, self.norm(h, f"layers.{index}.ffn_norm")))


@breaks("DEC-3")
class NoEps(Decoder):
    """No eps."""

    def root_mean_square(self, x: Vector) -> float:
        return math.sqrt(math.fsum(v * v for v in x) / len(x)) or 1.0


@breaks("DEC-3")
class OtherEps(Decoder):
    """eps of 1e-6."""

    def root_mean_square(self, x: Vector) -> float:
        return math.sqrt(math.fsum(v * v for v in x) / len(x) + 1e-6)


@breaks("DEC-3")
class EpsOutside(Decoder):
    """eps outside the root."""

    def root_mean_square(self, x: Vector) -> float:
        return math.sqrt(math.fsum(v * v for v in x) / len(x)) + self.eps


@breaks("DEC-3")
class WrongLength(Decoder):
    """Mean over one element too many."""

    def root_mean_square(self, x: Vector) -> float:
        return math.sqrt(math.fsum(v * v for v in x) / (len(x) + 1) + self.eps)


@breaks("DEC-3")
class NoNormWeight(Decoder):
    """Norm without its weight."""

    def norm(self, x: Vector, name: str) -> Vector:
        del name
        return self.unit(x)


@breaks("DEC-4")
class ModuloHeads(Decoder):
    """Key-value heads by remainder."""

    def key_value_head(self, query_head: int) -> int:
        return int(query_head % self.model["num_kv_heads"])


@breaks("DEC-4")
class ValuesBeforeKeys(Decoder):
    """Values before keys."""

    def split(self, rows: Vector) -> tuple[Heads, Heads, Heads]:
        queries, keys, values = super().split(rows)
        return queries, values, keys


@breaks("DEC-4")
class Interleaved(Decoder):
    """Rows of qkv grouped by key-value head."""

    def split(self, rows: Vector) -> tuple[Heads, Heads, Heads]:
        size, q, kv = (self.model[name] for name in ("head_dim", "num_heads", "num_kv_heads"))
        heads = [rows[start : start + size] for start in range(0, len(rows), size)]
        groups = [heads[i * (q // kv + 2) : (i + 1) * (q // kv + 2)] for i in range(kv)]
        queries = [head for group in groups for head in group[:-2]]
        return queries, [group[-2] for group in groups], [group[-1] for group in groups]


@breaks("DEC-5")
class WrongPairs(Decoder):
    """The other pairing of RoPE."""

    def pair(self, i: int) -> tuple[int, int]:
        if self.model["rope_pairing"] == "halves":
            return 2 * i, 2 * i + 1
        return i, i + self.model["head_dim"] // 2


@breaks("DEC-5")
class OtherDirection(Decoder):
    """Keys not rotated."""

    def attention(self, index: int, x: Vector) -> Vector:
        self.rotated = 0
        return super().attention(index, x)

    def rotate(self, head: Vector, rotations: list[tuple[float, float]]) -> Vector:
        self.rotated += 1
        return head if self.rotated > self.model["num_heads"] else super().rotate(head, rotations)


@breaks("DEC-5")
class LateKeys(Decoder):
    """Keys one position late."""

    def attention(self, index: int, x: Vector) -> Vector:
        self.rotated = 0
        return super().attention(index, x)

    def rotate(self, head: Vector, rotations: list[tuple[float, float]]) -> Vector:
        self.rotated += 1
        if self.rotated <= self.model["num_heads"]:
            return super().rotate(head, rotations)
        self.position += 1
        late = super().rotate(head, self.rotations())
        self.position -= 1
        return late


class ChangedChoices(Decoder):
    """A decoder that changes how it reads a layer's choices."""

    def change(self, choices: dict[str, Any]) -> dict[str, Any]:
        return choices

    def attention(self, index: int, x: Vector) -> Vector:
        model, layers = self.model, list(self.model["layers"])
        layers[index] = {**layers[index], "attention": self.change(layers[index]["attention"])}
        self.model = {**model, "layers": layers}
        output = super().attention(index, x)
        self.model = model
        return output


@breaks("DEC-5")
class AlwaysRope(ChangedChoices):
    """RoPE in NoPE layers too."""

    def change(self, choices: dict[str, Any]) -> dict[str, Any]:
        return {**choices, "rope": True}


@breaks("DEC-5")
class NeverRope(ChangedChoices):
    """No RoPE."""

    def change(self, choices: dict[str, Any]) -> dict[str, Any]:
        return {**choices, "rope": False}


@breaks("DEC-6")
class Angles32(Decoder):
    """Angles computed in binary32."""

    def rotations(self) -> list[tuple[float, float]]:
        angles = [float(self.position * frequency) for frequency in self.frequencies]
        rounded = [struct.unpack("<f", struct.pack("<f", angle))[0] for angle in angles]
        return [(math.cos(angle), math.sin(angle)) for angle in rounded]


@breaks("DEC-7")
class NeverQkNorm(ChangedChoices):
    """No QK norm."""

    def change(self, choices: dict[str, Any]) -> dict[str, Any]:
        return {**choices, "qk_norm": False}


@breaks("DEC-7")
class QkNormWithoutRope(ChangedChoices):
    """QK norm in NoPE layers too, where other layers have it."""

    def change(self, choices: dict[str, Any]) -> dict[str, Any]:
        somewhere = any(layer["attention"]["qk_norm"] for layer in self.model["layers"])
        return {**choices, "qk_norm": choices["qk_norm"] or (somewhere and not choices["rope"])}


@breaks("DEC-7")
class LengthForMean(Decoder):
    """QK norm divides by the length."""

    def unit(self, head: Vector) -> Vector:
        return [value / math.sqrt(math.fsum(v * v for v in head) + self.eps) for value in head]


@breaks("DEC-7")
class QkNormWithoutEps(Decoder):
    """QK norm without eps."""

    def unit(self, head: Vector) -> Vector:
        return [value / (math.sqrt(math.fsum(v * v for v in head) / len(head)) or 1.0) for value in head]


@breaks("DEC-8")
class NoTemperature(ChangedChoices):
    """No temperature."""

    def change(self, choices: dict[str, Any]) -> dict[str, Any]:
        return {**choices, "temperature": None}


@breaks("DEC-8")
class EarlyTemperature(Decoder):
    """Temperature by position, not position + 1."""

    def temperature(self, attn_scale: float, floor_scale: int) -> float:
        return 1 + attn_scale * functions.ln(1 + self.position // floor_scale)


@breaks("DEC-8")
class SmoothTemperature(Decoder):
    """Temperature without floor."""

    def temperature(self, attn_scale: float, floor_scale: int) -> float:
        return 1 + attn_scale * math.log(1 + (self.position + 1) / floor_scale)


@breaks("DEC-8")
class BinaryTemperature(Decoder):
    """Temperature with a binary logarithm."""

    def temperature(self, attn_scale: float, floor_scale: int) -> float:
        return 1 + attn_scale * math.log2(1 + (self.position + 1) // floor_scale)


@breaks("DEC-9")
class UnscaledScores(Decoder):
    """Scores not divided."""

    def score(self, query: Vector, key: Vector) -> float:
        return super().score(query, key) * math.sqrt(len(query))


@breaks("DEC-9")
class TwiceScaledScores(Decoder):
    """Scores divided twice."""

    def score(self, query: Vector, key: Vector) -> float:
        return super().score(query, key) / math.sqrt(len(query))


@breaks("DEC-9")
class ScoresByHidden(Decoder):
    """Scores divided by the root of hidden_size / num_heads."""

    def score(self, query: Vector, key: Vector) -> float:
        width = self.model["hidden_size"] / self.model["num_heads"]
        return super().score(query, key) * math.sqrt(len(query) / width)


@breaks("DEC-10")
class SlidingChunks(Decoder):
    """Chunks that slide."""

    def sees(self, k: int, chunk_size: int | None) -> bool:
        return chunk_size is None or k > self.position - chunk_size


@breaks("DEC-10", "DEC-17")
class NoChunks(Decoder):
    """No chunks."""

    def sees(self, k: int, chunk_size: int | None) -> bool:
        del k, chunk_size
        return True


@breaks("DEC-10")
class LateChunks(Decoder):
    """Chunks that begin one position late."""

    def sees(self, k: int, chunk_size: int | None) -> bool:
        return chunk_size is None or (k - 1) // chunk_size == (self.position - 1) // chunk_size


@breaks("DEC-10")
class NotItself(Decoder):
    """A position does not see itself."""

    def sees(self, k: int, chunk_size: int | None) -> bool:
        return (k < self.position or k == 0) and super().sees(k, chunk_size)


@breaks("DEC-11", "NUM-1")
class NaiveSoftmax(Decoder):
    """Softmax without subtracting the largest score, in binary32."""

    def softmax(self, scores: Vector) -> Vector:
        exponentials = [math.exp(score) if score < 88.7 else math.inf for score in scores]
        return [e / math.fsum(exponentials) for e in exponentials]


@breaks("DEC-11")
class HeadsBackwards(Decoder):
    """Heads concatenated in another order."""

    def split(self, rows: Vector) -> tuple[Heads, Heads, Heads]:
        queries, keys, values = super().split(rows)
        return queries[::-1], keys[::-1], values[::-1]


@breaks("DEC-12")
class UpForGate(Decoder):
    """Gate and up swapped."""

    def project(self, index: int, name: str, x: Vector) -> Vector:
        rows = super().project(index, name, x)
        half = len(rows) // 2
        return rows[half:] + rows[:half] if name.endswith("gate_up") else rows


@breaks("DEC-12")
class RowsInTurn(Decoder):
    """Rows of gate and up in turn."""

    def project(self, index: int, name: str, x: Vector) -> Vector:
        rows = super().project(index, name, x)
        return rows[0::2] + rows[1::2] if name.endswith("gate_up") else rows


@breaks("DEC-13")
class TanhGelu(Decoder):
    """gelu by tanh."""

    def act(self, activation: str, z: float) -> float:
        if activation == "silu":
            return super().act(activation, z)
        return z / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))


@breaks("DEC-13")
class SigmoidGelu(Decoder):
    """gelu by sigmoid."""

    def act(self, activation: str, z: float) -> float:
        return super().act("silu", z) if activation == "silu" else z * functions.sigmoid(1.702 * z)


@breaks("DEC-13")
class OneActivation(Decoder):
    """silu for gelu."""

    def act(self, activation: str, z: float) -> float:
        del activation
        return super().act("silu", z)


@breaks("DEC-13")
class TanhSilu(Decoder):
    """gelu by tanh for silu."""

    def act(self, activation: str, z: float) -> float:
        del activation
        return z / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))


class OtherMixture(Decoder):
    """A mixture with another combination of experts."""

    def share(self, values: Vector, chosen: int) -> float:
        return functions.sigmoid(values[chosen])

    def choose(self, values: Vector) -> int:
        return values.index(max(values))

    def together(self, index: int, chosen: int, share: float, x: Vector) -> Vector:
        expert = self.one_ffn(index, f"ffn.experts.{chosen}", [share * value for value in x])
        return self.add(self.one_ffn(index, "ffn.shared", x), expert)

    def mixture(self, index: int, x: Vector) -> Vector:
        values = self.weights.matrices[f"layers.{index}.ffn.router"].times16(x)
        chosen = self.choose(values)
        return self.together(index, chosen, self.share(values, chosen), x)


@breaks("DEC-14")
class SoftmaxRouter(OtherMixture):
    """Router with softmax."""

    def share(self, values: Vector, chosen: int) -> float:
        return self.softmax(values)[chosen]


@breaks("DEC-14")
class NoShare(OtherMixture):
    """Expert's input not scaled."""

    def share(self, values: Vector, chosen: int) -> float:
        del values, chosen
        return 1.0


@breaks("DEC-14")
class LastAmongEquals(OtherMixture):
    """The last expert among equals."""

    def choose(self, values: Vector) -> int:
        return len(values) - 1 - values[::-1].index(max(values))


@breaks("DEC-14")
class GreatestMagnitude(OtherMixture):
    """The expert of the largest magnitude."""

    def choose(self, values: Vector) -> int:
        return max(range(len(values)), key=lambda index: (abs(values[index]), -index))


@breaks("DEC-14")
class RoundedRouter(OtherMixture):
    """The router's input rounded to INT8."""

    def mixture(self, index: int, x: Vector) -> Vector:
        s, q = int8(x)
        values = self.weights.matrices[f"layers.{index}.ffn.router"].times16([s * code for code in q])
        chosen = self.choose(values)
        return self.together(index, chosen, self.share(values, chosen), x)


@breaks("DEC-14")
class ScoreOnOutput(OtherMixture):
    """Score on the expert's output."""

    def together(self, index: int, chosen: int, share: float, x: Vector) -> Vector:
        expert = self.one_ffn(index, f"ffn.experts.{chosen}", x)
        return self.add(self.one_ffn(index, "ffn.shared", x), [share * value for value in expert])


@breaks("DEC-15")
class NoSharedExpert(OtherMixture):
    """No shared expert."""

    def together(self, index: int, chosen: int, share: float, x: Vector) -> Vector:
        return self.one_ffn(index, f"ffn.experts.{chosen}", [share * value for value in x])


@breaks("DEC-15")
class ScaledSharedExpert(OtherMixture):
    """Shared expert's input scaled."""

    def together(self, index: int, chosen: int, share: float, x: Vector) -> Vector:
        return super().together(index, chosen, share, [share * value for value in x])


@breaks("DEC-16")
class NoFinalNorm(Decoder):
    """No final norm."""

    def head(self, x: Vector) -> Vector:
        name = "embedding" if self.model["tied_embeddings"] else "lm_head"
        return self.times16(self.weights.matrices[name], x)


@breaks("DEC-16")
class AlwaysTied(Decoder):
    """The embedding for lm_head."""

    def head(self, x: Vector) -> Vector:
        return self.times16(self.weights.matrices["embedding"], self.norm(x, "norm"))


@breaks("DEC-17")
class NoReset(Decoder):
    """The KV cache of another sequence left over."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.step(1)
        self.position = 0
        self.residuals.clear()

    def sees(self, k: int, chunk_size: int | None) -> bool:
        return k == 0 or super().sees(k - 1, chunk_size)


@breaks("DEC-17", "DEC-5")
class PositionsAnew(Decoder):
    """Positions restart at position 4."""

    def rotations(self) -> list[tuple[float, float]]:
        position, self.position = self.position, self.position % 4
        result = super().rotations()
        self.position = position
        return result


@breaks("ACT-1", "ACT-2")
class OtherLayers(Decoder):
    """One binary16 layer less."""

    less = 1

    def project(self, index: int, name: str, x: Vector) -> Vector:
        of = self.weights.matrices[f"layers.{index}.{name}"]
        return self.times16(of, x) if self.binary16(index) else self.times8(of, x)

    def binary16(self, index: int) -> bool:
        return bool(index < self.model["activations"]["fp16_layers"] - self.less)


@breaks("ACT-1", "ACT-2")
class MoreLayers(OtherLayers):
    """One binary16 layer more."""

    less = -1


@breaks("ACT-1", "ACT-2")
class LastLayers(OtherLayers):
    """The last layers binary16."""

    def binary16(self, index: int) -> bool:
        layers = len(self.model["layers"])
        return bool(index >= layers - self.model["activations"]["fp16_layers"])


@breaks("ACT-1")
class Head8(Decoder):
    """The input of lm_head rounded to INT8."""

    def head(self, x: Vector) -> Vector:
        s, q = int8(self.norm(x, "norm"))
        name = "embedding" if self.model["tied_embeddings"] else "lm_head"
        return self.weights.matrices[name].times16([s * code for code in q])


@breaks("ACT-1", "NUM-1")
class NoClamp(Decoder):
    """No clamp at 65504."""

    def times16(self, of: Matrix, x: Vector) -> Vector:
        a = [math.copysign(math.inf, value) if abs(value) >= 65520 else nearest16(value) for value in x]
        return [sum(w * v for w, v in zip(row, a, strict=True)) for row in of.weights]


class OtherInt8(Decoder):
    """INT8 inputs with another rounding."""

    def rounded(self, x: Vector) -> tuple[float, Sequence[int]]:
        return int8(x)

    def times8(self, of: Matrix, x: Vector) -> Vector:
        return of.times8(*self.rounded(x))[0]


@breaks("ACT-2")
class By128(OtherInt8):
    """Scale by 128."""

    def rounded(self, x: Vector) -> tuple[float, Sequence[int]]:
        s = max(map(abs, x)) / 128
        return s, [max(-128, min(127, round(value / s))) if s else 0 for value in x]


@breaks("ACT-2")
class Truncated(OtherInt8):
    """Truncated codes."""

    def rounded(self, x: Vector) -> tuple[float, Sequence[int]]:
        return int8(x, int)


@breaks("ACT-2")
class MaximumForMagnitude(OtherInt8):
    """Largest element for largest magnitude."""

    def rounded(self, x: Vector) -> tuple[float, Sequence[int]]:
        s = max(x) / 127
        return s, [max(-127, min(127, round(value / s))) if s else 0 for value in x]


@breaks("ACT-6")
class Scale16(OtherInt8):
    """s rounded to binary16."""

    def rounded(self, x: Vector) -> tuple[float, Sequence[int]]:
        s, q = int8(x)
        return nearest16(s), q


@breaks("ACT-2")
class NotRounded(OtherInt8):
    """INT8 inputs not rounded at all."""

    def times8(self, of: Matrix, x: Vector) -> Vector:
        return of.times16(x)


@breaks("ACT-7", "DEQ-3")
class Wrapped(Decoder):
    """Codes less zero_point wrap at 8 bits."""

    def times8(self, of: Matrix, x: Vector) -> Vector:
        s, q = int8(x)
        wrapped = [
            [replace(block, differences=[(d + 128) % 256 - 128 for d in block.differences]) for block in row]
            for row in of.blocks
        ]
        return Matrix([], [], wrapped).times8(s, q)[0]


@breaks("ACT-9")
class Residual16(Decoder):
    """Residual stream rounded to binary16."""

    def layer(self, index: int, x: Vector) -> Vector:
        return [nearest16(value) for value in super().layer(index, x)]


@breaks("ACT-9")
class Scores16(Decoder):
    """Scores rounded to binary16."""

    def score(self, query: Vector, key: Vector) -> float:
        return nearest16(super().score(query, key))


@breaks("ACT-9")
class Norm16(Decoder):
    """What norms yield rounded to binary16 before INT8."""

    def norm(self, x: Vector, name: str) -> Vector:
        return [nearest16(value) for value in super().norm(x, name)]


class Cache16Execution(Exact):
    """An exact execution except for the KV cache."""

    def cached(self, values: list[float]) -> list[float]:
        return [nearest16(value) for value in values]


@breaks("NUM-2")
class Cache16(Decoder):
    """KV cache of binary16."""

    def __init__(self, model: Any, weights: Any, execution: Exact) -> None:
        del execution
        super().__init__(model, weights, Cache16Execution())


class Cache8Execution(Exact):
    """An exact execution except for the KV cache."""

    def cached(self, values: list[float]) -> list[float]:
        return [nearest8(value) for value in values]


@breaks("NUM-2")
class Cache8(Decoder):
    """KV cache of 8-bit floats."""

    def __init__(self, model: Any, weights: Any, execution: Exact) -> None:
        del execution
        super().__init__(model, weights, Cache8Execution())


@breaks("ACT-8")
class Sums16(Decoder):
    """Binary16 sums."""

    def times16(self, of: Matrix, x: Vector) -> Vector:
        result = []
        for row in of.weights:
            total = 0.0
            for w, value in zip(row, x, strict=True):
                total = nearest16(total + w * nearest16(value))
            result.append(total)
        return result
