"""The extension `LLQ_attention_affine`: its members in the metadata, and its tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Json = Any
NAME = "LLQ_attention_affine"
PLAIN = {"qkv_bias": False, "weighted_qk_norm": False}
BIAS = {**PLAIN, "qkv_bias": True}
NORM = {**PLAIN, "weighted_qk_norm": True}
BOTH = {"qkv_bias": True, "weighted_qk_norm": True}
Affine = tuple[dict[str, bool], ...]
"""The choices of each layer; empty without the extension."""


def members(affine: Sequence[Json]) -> dict[str, Json]:
    """Return the members of the root of metadata.json; none without the extension."""
    if not affine:
        return {}
    return {
        "extensions": {NAME: {"layers": list(affine)}},
        "extensions_required": [NAME],
        "extensions_used": [NAME],
    }


def layer_table(model: dict[str, Json], choices: Json) -> Iterator[tuple[str, tuple[int, ...], str]]:
    """Yield the tensors that follow `attention.qkv` in a layer."""
    size = model["head_dim"]
    if choices["qkv_bias"]:
        yield "attention.qkv_bias", ((model["num_heads"] + 2 * model["num_kv_heads"]) * size,), "raw"
    if choices["weighted_qk_norm"]:
        yield "attention.q_norm", (size,), "raw"
        yield "attention.k_norm", (size,), "raw"
