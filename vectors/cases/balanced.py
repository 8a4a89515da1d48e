"""Logits in which attention cancels almost: softmax weights of 1/2, of values that are opposite.

One key has a large score, and twenty others a score of 0. A relative error of the large score moves the
difference of both sides, by far more than it moves the score. Keys and values have few bits, so that a KV
cache in binary16 holds them exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from vectors.cases.logits import UNGATED, dense, model
from vectors.kit.computed import computed
from vectors.kit.sequences import Logits, Subject
from vectors.kit.tensor import Int4, Raw, Tensor
from vectors.kit.weights import bits16

KEY, OTHER, QUERY = 0, 1, 2
PROMPT = [KEY, *[OTHER] * 19, QUERY]
"""The last position attends to the key and, itself included, to 20 others."""


def entries(head_dim: int) -> dict[str, dict[tuple[int, int], int]]:
    """Return code less zero_point by row and column, for the matrices that are not zero.

    Element 0 of keys comes from element 0 of the stream, of queries from element 2, of values from element 1.
    """
    return {
        "qkv": {(0, 2): 8, (head_dim, 0): 8, (2 * head_dim, 1): 8},
        "output": {(3, 0): 8},
    }


def balanced(head_dim: int, query: float) -> Callable[[Tensor], Tensor]:
    """Return what makes tensors of the model, whose query has an element that decides the balance."""
    embedding = ((1.0, 1.0, 0, 0), (0, -1.0, 0, 1.0), (0, -1.0, query, 0), (0, 0, 0, 1.0))

    def change(tensor: Tensor) -> Tensor:
        if isinstance(tensor, Int4):
            last = tensor.name.rpartition(".")[2]
            codes = entries(head_dim).get(last, {})
            scale = {"qkv": 2.0**-1, "output": 4.0}.get(last, 1.0)
            return replace(
                tensor,
                code=lambda r, c: codes.get((r, c), 0),
                scale=lambda _i, _j: bits16(scale),
                zero_point=lambda _i, _j: 0,
            )
        if isinstance(tensor, Raw) and tensor.name == "embedding":
            return replace(tensor, bits=lambda index: bits16(float(embedding[index // 4][index % 4])))
        return replace(tensor, bits=lambda _index: bits16(1.0))

    return change


def subject(head_dim: int, query: float, **attention: Any) -> Subject:
    """Return a model of one layer without position embedding, whose FFN is zero."""
    shape = {"hidden_size": 4, "num_heads": 1, "num_kv_heads": 1, "head_dim": head_dim, "vocab_size": 4}
    layer = dense(1, {"rope": False, **attention}, **UNGATED)
    return Subject(model(1, layer, **shape), replace=balanced(head_dim, query))


@computed("logits", "LLQ-NUM-4", "LLQ-ACT-9", "LLQ-DEC-9")
def balanced_attention() -> Logits:
    """Attention that almost cancels, by a score near 3; head_dim is 10, and binary16 cannot hold its root."""
    return Logits(subject(10, 0.2152099609375), PROMPT)


@computed("logits", "LLQ-NUM-4", "LLQ-ACT-9", "LLQ-DEC-8")
def balanced_temperature() -> Logits:
    """Attention that almost cancels, by a score near 3 that includes the factor of temperature."""
    temperature = {"attn_scale": 0.43, "floor_scale": 1}
    return Logits(subject(4, 0.057220458984375, temperature=temperature), PROMPT)
