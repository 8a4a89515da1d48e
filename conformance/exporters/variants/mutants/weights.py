"""Mutants whose tensors hold other weights than the checkpoint."""

from collections.abc import Callable
from typing import Any

import numpy as np

from llq_format.exporting.checkpoint import Checkpoint
from llq_format.format.quantize import round_affine

from ..recipe import Recipe, Sections, Weights, load
from .mutant import mutant

Change = Callable[[Weights, dict[str, Any]], Weights]


def with_change(ending: str, change: Change, formats: tuple[str, ...] = ("safetensors", "gguf")) -> Recipe:
    """Return an exporter that changes tensors whose names end so, in checkpoints of some formats."""

    def load_changed(source: Checkpoint, name: str) -> Weights:
        values = load(source, name)
        if not name.endswith(ending) or source.provenance["format"] not in formats:
            return values
        return np.ascontiguousarray(change(values, source.model))

    return Recipe(load=load_changed)


def renamed(rename: Callable[[str, dict[str, Any]], str]) -> Recipe:
    """Return an exporter that takes one tensor for another of the same shape."""
    return Recipe(load=lambda source, name: load(source, rename(name, source.model)))


def pieces(qkv: Weights, model: dict[str, Any]) -> list[Weights]:
    """Return q, k and v."""
    query = model["num_heads"] * model["head_dim"]
    return np.split(qkv, [query, query + model["num_kv_heads"] * model["head_dim"]])


def in_pairs(qkv: Weights, model: dict[str, Any]) -> Weights:
    """Return rows of q and k in the order of GGUF files."""
    q, k, v = pieces(qkv, model)
    width = model["head_dim"]
    moved = [
        part.reshape(-1, 2, width // 2, part.shape[1]).swapaxes(1, 2).reshape(part.shape) for part in (q, k)
    ]
    return np.concatenate([*moved, v])


def swapped(gate_up: Weights, _model: dict[str, Any]) -> Weights:
    """Return up before gate."""
    return np.concatenate(np.split(gate_up, 2)[::-1])


def alternating(gate_up: Weights, _model: dict[str, Any]) -> Weights:
    """Return rows of gate and up in turn."""
    return np.stack(np.split(gate_up, 2), 1).reshape(gate_up.shape)


def as_stored(values: Weights, _model: dict[str, Any]) -> Weights:
    """Return a matrix in the memory order of its transpose."""
    return values.T.reshape(values.shape)


def other_expert(name: str, model: dict[str, Any]) -> str:
    """Return the name of the expert on the other end."""
    parts = name.split(".")
    if "experts" in parts:
        experts = model["layers"][int(parts[1])]["ffn"]["moe"]["num_experts"]
        parts[4] = str(experts - 1 - int(parts[4]))
    return ".".join(parts)


SAME = "WRITE-6"
GGUF, HF = ("gguf",), ("safetensors",)
mutant("qkv-order", "rows of v before those of k", SAME, "weights", "compute")(
    with_change("qkv", lambda qkv, model: np.concatenate([(p := pieces(qkv, model))[0], p[2], p[1]]))
)
mutant("q-heads-reversed", "heads of q in reverse order", SAME, "weights", "compute")(
    with_change(
        "qkv",
        lambda qkv, model: np.concatenate(
            [
                (p := pieces(qkv, model))[0]
                .reshape(-1, model["head_dim"], qkv.shape[1])[::-1]
                .reshape(p[0].shape),
                p[1],
                p[2],
            ]
        ),
    )
)
mutant("gate-up-swapped", "rows of up before those of gate", SAME, "weights", "compute")(
    with_change("gate_up", swapped)
)
mutant("gate-up-alternating", "rows of gate and up in turn", SAME, "weights", "compute")(
    with_change("gate_up", alternating)
)
mutant("experts-transposed", "experts in the memory order of a stacked tensor", SAME, "weights", "compute")(
    Recipe(
        load=lambda source, name: (
            as_stored(load(source, name), {}) if ".experts." in name else load(source, name)
        )
    )
)
mutant("experts-reversed", "experts in reverse order", SAME, "weights", "compute")(renamed(other_expert))
mutant("shared-expert-lost", "shared expert of zeros", SAME, "weights", "compute")(
    with_change("shared.down", lambda values, _: 0 * values)
)
mutant("router-transposed", "router in the memory order of its transpose", SAME, "weights")(
    with_change("router", as_stored)
)
mutant("gguf-rows-in-pairs", "rows of q and k left in the order of GGUF", SAME, "weights")(
    with_change("qkv", in_pairs, GGUF)
)
mutant("rows-in-pairs", "rows of q and k moved, though they were in order", SAME, "weights", "compute")(
    with_change("qkv", in_pairs, HF)
)
mutant("embedding-dropped", "an embedding of zeros", SAME, "weights", "compute")(
    with_change("embedding", lambda values, _: 0 * values)
)
mutant("embedding-cut", "binary16 by cutting bits off", SAME, "weights")(
    with_change(
        "embedding", lambda values, _: (values.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)
    )
)
mutant("embedding-for-head", "the embedding in place of a head of its own", SAME, "weights", "compute")(
    renamed(lambda name, _: "embedding" if name == "lm_head" else name)
)
mutant("output-transposed", "attention.output transposed where it is square", SAME, "weights", "compute")(
    with_change(
        "attention.output", lambda values, _: values.T if values.shape[0] == values.shape[1] else values
    )
)
mutant("norms-swapped", "attention_norm and ffn_norm taken for each other", SAME, "weights")(
    renamed(
        lambda name, _: (
            name.replace("ffn_norm", "x_norm")
            .replace("attention_norm", "ffn_norm")
            .replace("x_norm", "attention_norm")
        )
    )
)
mutant("norms-plus-one", "1 added to the weights of norms", SAME, "weights")(
    with_change("_norm", lambda values, _: values + np.float32(1))
)
mutant("last-norm-lost", "a last norm of ones", SAME, "weights")(
    Recipe(
        load=lambda source, name: np.ones_like(load(source, name)) if name == "norm" else load(source, name)
    )
)
mutant("last-row-lost", "the last row of each down projection of zeros", SAME, "weights")(
    with_change("down", lambda values, _: np.concatenate([values[:-1], 0 * values[-1:]]))
)
mutant("last-column-lost", "columns after the last whole block set to zero", SAME, "weights", "compute")(
    with_change(
        "down", lambda values, _: np.where(np.arange(values.shape[1]) < values.shape[1] // 64 * 64, values, 0)
    )
)
mutant("negated", "weights of gate with the other sign", SAME, "weights", "compute")(
    with_change(
        "gate_up", lambda values, _: np.concatenate([-np.split(values, 2)[0], np.split(values, 2)[1]])
    )
)


def zero_point_off(blocks: Any) -> Sections:
    """Count from one too many."""
    scales, zero_points, codes = round_affine(blocks)
    assert zero_points is not None  # noqa: S101 - the scheme is affine
    return scales, zero_points + np.int8(1), codes


def per_column(blocks: Any) -> Sections:
    """Choose codes by the range of each column, and store one scale for all."""
    scales, zero_points, _ = round_affine(blocks)
    assert zero_points is not None  # noqa: S101 - the scheme is affine
    steps = np.maximum((blocks.max(1) - np.minimum(blocks.min(1), 0)) / 15, 2.0**-14)[:, None, :]
    codes = np.rint(blocks / steps) + zero_points[:, None, None]
    return scales, zero_points, np.clip(codes, 0, 15).astype(np.uint8)


def downward(blocks: Any) -> Sections:
    """Round toward lesser codes."""
    scales, zero_points, _ = round_affine(blocks)
    assert zero_points is not None  # noqa: S101 - the scheme is affine
    codes = np.floor(blocks / scales.astype(np.float64)[:, None, None]) + zero_points[:, None, None]
    return scales, zero_points, np.clip(codes, 0, 15).astype(np.uint8)


def three_bits(blocks: Any) -> Sections:
    """Use every other code."""
    scales, zero_points, codes = round_affine(blocks)
    return scales, zero_points, codes & np.uint8(14)


def one_code_less(blocks: Any) -> Sections:
    """Use no code above 14, as for a range of 14 steps."""
    scales, zero_points, codes = round_affine(blocks)
    return scales, zero_points, np.minimum(codes, 14).astype(np.uint8)


mutant("zero-point-off", "zero_point one too large", SAME, "weights", "rounding")(
    Recipe(rounder=zero_point_off)
)
mutant("per-column", "codes by the range of each column", SAME, "rounding")(Recipe(rounder=per_column))
mutant("downward", "codes rounded down", SAME, "weights", "rounding")(Recipe(rounder=downward))
mutant("three-bits", "codes of three bits", SAME, "rounding")(Recipe(rounder=three_bits))
mutant("one-code-less", "the largest code not used", SAME, "rounding")(Recipe(rounder=one_code_less))
