"""Logits that distinguish binary16 from binary32 inside a decoder, even if the KV cache holds binary16."""

from __future__ import annotations

from dataclasses import replace

from vectors.cases.logits import MARGIN, MOE, dense, model
from vectors.kit.computed import computed
from vectors.kit.sequences import Logits, Subject
from vectors.kit.tensor import Int4, Raw, Tensor
from vectors.kit.weights import Style, bits16

# The model of close_great_scores: one head of two elements without position embedding. Keys and values have
# few bits, so that a cache in binary16 holds them exactly; two keys differ in the last of them.
EMBEDDING = ((1.0, 0.6, 0, 0), (1.0, 0, 0, 0.598), (0, 0, 1.0, 0.6), (0, 0, 0, 1.0))
# Codes less zero_point by row and column, and the scale; the FFN is zero.
MATRICES = {"qkv": ({(0, 2): 8, (2, 0): 8, (4, 1): 1}, 2.0), "output": ({(1, 0): 8}, 0.5)}


def close_keys(tensor: Tensor) -> Tensor:
    """Return a tensor of the model of close_great_scores."""
    if isinstance(tensor, Int4):
        entries, scale = MATRICES.get(tensor.name.rpartition(".")[2], ({}, 1.0))
        return replace(
            tensor,
            code=lambda r, c: entries.get((r, c), 0),
            scale=lambda _i, _j: bits16(scale),
            zero_point=lambda _i, _j: 0,
        )
    if tensor.name == "embedding":
        return replace(tensor, bits=lambda index: bits16(EMBEDDING[index // 4][index % 4]))
    return replace(tensor, bits=lambda _index: bits16(1.0))


@computed("logits", "LLQ-NUM-4", "LLQ-ACT-9", "LLQ-DEC-9", "LLQ-DEC-11")
def close_great_scores() -> Logits:
    """Scores near 500 whose differences binary16 cannot represent; keys and values are exact in binary16."""
    shape = {"hidden_size": 4, "num_heads": 1, "num_kv_heads": 1, "head_dim": 2, "vocab_size": 4}
    layers = dense(1, {"rope": False}, activation="gelu", gated=False)
    return Logits(Subject(model(1, layers, **shape), replace=close_keys), [3, 0, 1, 2, 2, 0, 2, 1, 2])


def cancelling(tensor: Tensor) -> Tensor:
    """Return a tensor of a model whose router takes 128 times the difference of two close elements."""
    if not isinstance(tensor, Raw):
        return tensor
    old = tensor.values()
    if tensor.name == "embedding":
        return replace(tensor, bits=lambda i: bits16(old[i - 1] * (1 - 2.0**-6) if i % 32 == 1 else old[i]))
    if tensor.name.endswith("router"):
        weights = {0: 128.0, 1: -128.0}
        return replace(tensor, bits=lambda i: bits16(weights.get(i, 0.0)))
    if tensor.name.endswith("ffn_norm"):
        return replace(tensor, bits=lambda _i: bits16(1.0))
    return tensor


@computed("logits", "LLQ-NUM-4", "LLQ-ACT-9", "LLQ-DEC-14")
def cancelling_router_int8() -> Logits:
    """Router values are small differences of great products: binary16 inputs move them; INT8 with margin."""
    still = Style(gains={"output": 2.0**-8})
    return Logits(
        Subject(model(0, dense(24, moe=MOE)), style=still, replace=cancelling),
        [21, 22, 33, 34, 37, 16, 35, 8],
        MARGIN,
        2.0**-4,
    )
