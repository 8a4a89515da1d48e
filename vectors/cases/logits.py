"""Logits: whole models, each small, each with something that others do not have.

Prompts of models with a margin were found by `vectors.kit.search`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from vectors.kit.computed import computed
from vectors.kit.model import layer, tiny
from vectors.kit.sequences import Logits, Subject
from vectors.kit.tensor import Int4, Raw, Tensor
from vectors.kit.weights import Style, bits16, bits32

MARGIN = 2.0**-9  # of a step, from every rounding boundary
ROUTER = 2.0**-4
NOPE = {"rope": False}
UNGATED: dict[str, Any] = {"activation": "gelu", "gated": False}
MOE = {"num_experts": 4, "shared_intermediate_size": 24}


def model(fp16_layers: int, *layers: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a model of 40 tokens, a hidden size of 32 and 4 heads, some of its members changed."""
    plain = {"vocab_size": 40, "hidden_size": 32, "num_heads": 4, "num_kv_heads": 2, "head_dim": 8}
    members = {
        **plain,
        "context_length": 64,
        "activations": {"fp16_layers": fp16_layers},
        "layers": list(layers),
    }
    return tiny(**{**members, **changes})


def dense(width: int = 32, attention: dict[str, Any] | None = None, **ffn: Any) -> dict[str, Any]:
    """Return a layer whose FFN is of some width."""
    return layer(attention, {"intermediate_size": width, **ffn})


def with_raw(suffix: str, value: Callable[[int, float], float]) -> Callable[[Tensor], Tensor]:
    """Return a function that replaces binary16 values of tensors by a function of index and value."""

    def change(tensor: Tensor) -> Tensor:
        if not tensor.name.endswith(suffix) or not isinstance(tensor, Raw):
            return tensor
        old = tensor.values()
        return replace(tensor, bits=lambda index: bits16(value(index, old[index])))

    return change


@computed("logits", "LLQ-NUM-4", "LLQ-DEC-1", "LLQ-DEC-2", "LLQ-DEC-11", "LLQ-ACT-1")
def dense_binary16() -> Logits:
    """Two dense layers, binary16 throughout, equal numbers of heads and key-value heads, an INT4 lm_head."""
    layers = dense(48), dense()
    return Logits(
        Subject(model(2, *layers, num_kv_heads=4, tied_embeddings=False)), [32, 31, 35, 13, 37, 16, 35, 8]
    )


@computed(
    "logits",
    *("LLQ-NUM-4", "LLQ-DEC-4", "LLQ-DEC-5", "LLQ-DEC-12", "LLQ-DEC-16"),
    *("LLQ-ACT-2", "LLQ-ACT-6", "LLQ-ACT-9"),
)
def grouped_heads_int8() -> Logits:
    """Six heads over two key-value heads, interleaved pairs, tied embeddings; INT8 with margin."""
    shape = {"hidden_size": 48, "num_heads": 6, "rope_pairing": "interleaved"}
    return Logits(Subject(model(0, dense(), dense(24), **shape)), [10, 6, 11, 27, 10, 18, 1, 36], MARGIN)


@computed("logits", "LLQ-NUM-4", "LLQ-NUM-2", "LLQ-DEC-4", "LLQ-DEC-5", "LLQ-DEC-9", "LLQ-DEC-16")
def wide_heads_int8() -> Logits:
    """Heads that together are wider than the residual stream, a binary16 lm_head; INT8 with margin."""
    shape = {"hidden_size": 24, "head_dim": 16, "tied_embeddings": False}
    style = Style(dtypes={"lm_head": "f16", "qkv": "int4_symmetric"})
    return Logits(
        Subject(model(0, dense(), dense(), **shape), style=style), [12, 6, 11, 23, 10, 33, 35, 7], MARGIN
    )


QUIET = {"output": 2.0**-8}  # attention hardly counts, so that a binary16 KV cache does not blur the rest
RAW32 = Style(QUIET, dict.fromkeys(("attention_norm", "ffn_norm", "norm", "embedding"), "f32"))


@computed("logits", "LLQ-NUM-4", "LLQ-DEC-12", "LLQ-DEC-13", "LLQ-DEC-16")
def ungated_gelu_int8() -> Logits:
    """Ungated FFNs with gelu; tied embeddings and other raw tensors in binary32; INT8 with margin."""
    return Logits(
        Subject(model(0, dense(40, **UNGATED), dense(**UNGATED)), style=RAW32),
        [12, 31, 10, 13, 26, 4, 22, 0],
        MARGIN,
    )


@computed("logits", "LLQ-NUM-4", "LLQ-DEC-12", "LLQ-DEC-13")
def ungated_gelu_binary16() -> Logits:
    """Ungated FFNs with gelu, then a gated one with gelu; binary16 throughout."""
    return Logits(
        Subject(model(3, dense(40, **UNGATED), dense(**UNGATED), dense(activation="gelu"))),
        [32, 31, 35, 13, 37, 16, 35, 8],
    )


@computed("logits", "LLQ-NUM-4", "LLQ-DEC-3")
def small_embeddings_int8() -> Logits:
    """Embeddings so small that rms_norm_eps determines the output of the norm; INT8 with margin."""
    small = Style(embedding=2e-3, gains={"output": 2e-3, "down": 2e-3}, dtypes={"lm_head": "f16"})
    return Logits(
        Subject(model(0, dense(), tied_embeddings=False), style=small),
        [21, 31, 35, 13, 37, 16, 35, 27],
        MARGIN,
    )


@computed("logits", "LLQ-NUM-4", "LLQ-DEC-3", "LLQ-DEC-1")
def small_embeddings_binary16() -> Logits:
    """Embeddings so small that rms_norm_eps determines the output of the norm; binary16 throughout."""
    small = Style(embedding=2e-3, gains={"output": 2e-3, "down": 2e-3}, dtypes={"lm_head": "f16"})
    return Logits(
        Subject(model(1, dense(), tied_embeddings=False), style=small), [32, 31, 35, 13, 37, 16, 35, 8]
    )


WARM = Style(gains={"qkv": 2.0})


@computed("logits", "LLQ-NUM-4", "LLQ-DEC-8", "LLQ-DEC-5")
def temperature_int8() -> Logits:
    """Layers without position embedding, queries scaled from position 1 on; INT8 with margin."""
    warm = {**NOPE, "temperature": {"attn_scale": 0.5, "floor_scale": 2}}
    return Logits(
        Subject(model(0, dense(24, warm), dense(24, NOPE)), style=WARM),
        [27, 32, 35, 27, 37, 16, 35, 8],
        MARGIN,
    )


@computed("logits", "LLQ-NUM-4", "LLQ-DEC-8")
def temperature_not_yet_int8() -> Logits:
    """attn_scale is 1000 and floor_scale 8192: the factor is 1 at all positions; INT8 with margin."""
    cold = {**NOPE, "temperature": {"attn_scale": 1000, "floor_scale": 8192}}
    return Logits(Subject(model(0, dense(24, cold)), style=WARM), [27, 22, 35, 15, 20, 16], MARGIN)


@computed("logits", "LLQ-NUM-4", "LLQ-DEC-10", "LLQ-DEC-7", "LLQ-DEC-3", "LLQ-DEC-17")
def chunks_int8() -> Logits:
    """Chunks of 4 positions in a prompt of 11, qk_norm with an eps of 0.1; INT8 with margin."""
    layers = dense(24, {"chunk_size": 4, "qk_norm": True}), dense(24, {"chunk_size": 4})
    pieces = (11,), (1,) * 11, (5, 6), (3, 2, 4, 2), (4, 4, 3)
    subject = Subject(model(0, *layers, rms_norm_eps=0.1), style=Style(gains={"qkv": 1.5}))
    return Logits(subject, [32, 32, 3, 15, 37, 16, 1, 8, 19, 31, 24], MARGIN, pieces=pieces)


@computed("logits", "LLQ-NUM-4", "LLQ-DEC-14", "LLQ-DEC-15")
def experts_int8() -> Logits:
    """Four experts and a shared one, with clear choices of the router; INT8 with margin."""
    layers = dense(24, moe=MOE), dense(24, moe=MOE)
    return Logits(
        Subject(model(0, *layers), style=Style(QUIET)), [21, 31, 3, 34, 15, 16, 22, 27], MARGIN, ROUTER
    )


def loud(index: int, value: float) -> float:
    """Return the weights of a norm after which two elements exceed binary16."""
    return 48000.0 if index in {3, 20} else value


def deaf(index: int, value: float) -> float:
    """Return a router that does not see the loud elements."""
    return 0.0 if index % 32 in {3, 20} else value


def loud_experts(tensor: Tensor) -> Tensor:
    """Return a tensor of a model whose experts have loud inputs, to which they listen little."""
    return with_raw("ffn_norm", loud)(with_raw("router", deaf)(tensor))


@computed("logits", "LLQ-NUM-4", "LLQ-ACT-1", "LLQ-ACT-10", "LLQ-DEC-14", "LLQ-DEC-15")
def scaled_before_rounding_binary16() -> Logits:
    """The normed residual exceeds 65504 where sigmoid(r) times it does not: the product MUST be rounded.

    Rounding the normed residual first would clamp it. The shared expert's input is clamped.
    """
    style = Style(gains={"gate_up": 0.0025, "down": 0.003}, router=6.0)
    subject = Subject(model(1, dense(24, moe=MOE)), style=style, replace=loud_experts)
    return Logits(subject, [21, 31, 3, 34, 15, 16, 22, 27], None, ROUTER)


@computed("logits", "LLQ-NUM-4", "LLQ-DEC-22")
def full_context_binary16() -> Logits:
    """A sequence fills the context of 8 positions; a sequence of 9 tokens MUST be refused."""
    tokens = [32, 31, 35, 13, 37, 16, 35, 8]
    return Logits(Subject(model(1, dense(), context_length=8)), tokens, too_long=[*tokens, 1])


def undecided(index: int, _value: float) -> float:
    """Return a router whose row 0 is minus element 0 of the input, and whose other rows are 0."""
    return -1.0 if index == 0 else 0.0


@computed("logits", "LLQ-NUM-4", "LLQ-DEC-14")
def equal_experts_int8() -> Logits:
    """The router yields -x[0], 0, 0, 0 in any execution: the lowest index MUST be chosen; INT8 with margin.

    The margin is that between values that differ.
    """
    subject = Subject(model(0, dense(24, moe=MOE)), replace=with_raw("layers.0.ffn.router", undecided))
    return Logits(subject, [27, 22, 35, 34, 37, 33, 35, 8], MARGIN, ROUTER)


@computed("logits", "LLQ-NUM-4", "LLQ-ACT-7", "LLQ-DEQ-3")
def far_zero_points_int8() -> Logits:
    """Zero points from -128 to 127; INT8 with margin."""
    gains = dict.fromkeys(("qkv", "output", "gate_up", "down"), 0.06)
    style = Style(zero_points=(-128, 127, -1, 16, 40), gains=gains)
    return Logits(Subject(model(0, dense(), dense()), style=style), [21, 32, 11, 34, 20, 16], MARGIN)


def faint(first: int) -> Callable[[Tensor], Tensor]:
    """Return what makes layers from the given one on count little, so that they do not blur those before."""

    def change(tensor: Tensor) -> Tensor:
        _, _, name = tensor.name.partition("layers.")
        if isinstance(tensor, Raw) or not name.endswith(("output", "down")) or int(name[0]) < first:
            return tensor
        scale = tensor.scale
        return replace(tensor, scale=lambda i, j: scale(i, j) - (8 << 10))  # 2^-8 times as great

    return change


@computed("logits", "LLQ-NUM-4", "LLQ-ACT-1", "LLQ-ACT-2", cases={"1": 1, "2": 2})
def binary16_layers_of_three(fp16_layers: int) -> Logits:
    """fp16_layers is {} in a model of three layers; without margin, but INT8 layers contribute little."""
    layers = dense(16), dense(16), dense(16)
    subject = Subject(model(fp16_layers, *layers), replace=faint(fp16_layers))
    return Logits(subject, [32, 31, 35, 13, 37, 16, 35, 8])


@computed("logits", "LLQ-NUM-4", "LLQ-NUM-1", "LLQ-ACT-1")
def clamped_binary16() -> Logits:
    """Inputs of down outside binary16: they MUST become 65504 or -65504, never infinite."""
    return Logits(
        Subject(model(1, dense()), style=Style(gains={"gate_up": 300.0, "down": 0.0016})),
        [32, 31, 35, 13, 37, 16, 35, 8],
    )


def no_tokens(index: int, value: float) -> float:
    """Return an embedding in which the rows of tokens 7 and 8 are zero."""
    return 0.0 if index // 32 in {7, 8} else value


@computed("logits", "LLQ-NUM-4", "LLQ-NUM-1", "LLQ-ACT-4")
def zero_vectors_int8() -> Logits:
    """Tokens whose embeddings are zero, the first one too: logits MUST NOT be NaN; INT8 with margin."""
    subject = Subject(model(0, dense()), replace=with_raw("embedding", no_tokens))
    return Logits(subject, [7, 8, 7, 12, 7, 3], MARGIN / 2)


@computed("logits", "LLQ-NUM-4", "LLQ-NUM-1", "LLQ-DEC-11")
def great_scores_int8() -> Logits:
    """Scores whose exponentials overflow unless the maximum is subtracted; INT8 with margin."""
    return Logits(
        Subject(model(0, dense()), style=Style(gains={"qkv": 12.0})),
        [10, 23, 34, 34, 37, 26, 26, 27],
        4 * MARGIN,
    )


@computed("logits", "LLQ-NUM-4", "LLQ-DEC-12")
def several_blocks_int8() -> Logits:
    """Matrices of several blocks, the last ones not full; INT8 with margin."""
    shape = {"hidden_size": 80, "num_heads": 5, "num_kv_heads": 1, "head_dim": 16, "vocab_size": 70}
    return Logits(Subject(model(0, dense(144), tied_embeddings=False, **shape)), [32, 32, 49, 44], MARGIN)


LOCAL = {"chunk_size": 4}
LLAMA_4 = (
    dense(24, {**LOCAL, "qk_norm": True}, moe=MOE),
    dense(32, LOCAL),
    dense(24, LOCAL, moe={**MOE, "num_experts": 3}),
    dense(24, {**NOPE, "temperature": {"attn_scale": 0.5, "floor_scale": 3}}, moe=MOE),
)
WHOLE = {"rope_pairing": "interleaved", "tied_embeddings": False}


@computed("logits", "LLQ-NUM-4", "LLQ-ACT-9", "LLQ-DEC-10", "LLQ-DEC-14", "LLQ-DEC-17")
def llama_4() -> Logits:
    """All features of Llama 4, two binary16 layers and two INT8 layers; without margin."""
    pieces = (11,), (1,) * 11, (5, 6), (3, 2, 4, 2)
    return Logits(
        Subject(model(2, *LLAMA_4, **WHOLE)),
        [32, 31, 11, 13, 16, 18, 35, 37, 19, 20, 24],
        None,
        2.0**-2,
        pieces,
    )


@computed(
    "logits", *(f"LLQ-{rule}" for rule in ("NUM-4", "DEC-5", "DEC-7", "DEC-8", "DEC-10", "DEC-14", "DEC-15"))
)
def llama_4_binary16() -> Logits:
    """All features of Llama 4, binary16 throughout."""
    pieces = (11,), (1,) * 11, (5, 6), (3, 2, 4, 2)
    return Logits(
        Subject(model(4, *LLAMA_4, **WHOLE)),
        [32, 31, 11, 13, 16, 18, 35, 37, 19, 39, 12],
        None,
        2.0**-2,
        pieces,
    )


# The model of far_positions: one head of two elements, so one angle, of a period of 7 positions. A query
# attends to two keys in its chunk, 7 positions apart, with scores that differ only by errors of the angles.
KEY, OTHER_KEY, QUERY, FILLER = 0, 1, 2, 3
EMBEDDING = ((1.0, 0.6, 0, 0), (1.0, 0, 0, 0.6), (0, 0, 1.0, 0.6), (0, 0, 0, 1.0))
QKV = {(0, 2): 15, (2, 0): 11, (3, 0): 11, (4, 1): 15}  # code less zero_point, by row and column
CHUNK = (FILLER, KEY, FILLER, FILLER, FILLER, FILLER, FILLER, FILLER, OTHER_KEY, *(QUERY,) * 7)


def clockwork(tensor: Tensor) -> Tensor:
    """Return a tensor of the model of far_positions."""
    if isinstance(tensor, Int4):
        entries = QKV if tensor.name.endswith("qkv") else {(1, 0): 15}
        scale = 1.5 if tensor.name.endswith("qkv") else 2.0**-6
        return replace(
            tensor,
            code=lambda r, c: entries.get((r, c), 0),
            scale=lambda _i, _j: bits16(scale),
            zero_point=lambda _i, _j: 0,
        )
    if tensor.name == "embedding":
        return replace(tensor, bits=lambda index: bits16(EMBEDDING[index // 4][index % 4]))
    if tensor.name == "rope.inv_freq":
        return replace(tensor, bits=lambda _index: bits32(2 * math.pi / 7))
    return replace(tensor, bits=lambda _index: bits16(1.0))


@computed("logits", "LLQ-NUM-4", "LLQ-DEC-6", "LLQ-DEC-5", "LLQ-DEC-10", "LLQ-DEC-17")
def far_positions() -> Logits:
    """1264 positions in chunks of 16; scores so large that angles computed in binary32 change the logits."""
    shape = {"hidden_size": 4, "num_heads": 1, "num_kv_heads": 1, "head_dim": 2, "vocab_size": 4}
    attention = {"chunk_size": 16}
    subject = Subject(
        model(0, dense(1, attention, **UNGATED), context_length=2048, **shape), replace=clockwork
    )
    pieces = (1264,), (1256, *(1,) * 8), (512, 512, 240)
    return Logits(subject, CHUNK * 79, pieces=pieces)
