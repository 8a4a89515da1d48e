"""The good packages from which the invalid vectors are made, by one change each."""

from __future__ import annotations

from vectors.kit.model import layer, model_package, tiny, with_tokenizer
from vectors.kit.noise import finite16, finite32, noise
from vectors.kit.package import Package, assemble
from vectors.kit.program import with_program
from vectors.kit.registry import valid
from vectors.kit.tensor import Int4, Raw

# Offsets in the shard of `control`.
BIAS = 256
SLOT = 512
SCALE = SLOT + 256
ZERO_POINT = SCALE + 256
PACKED = ZERO_POINT + 256

BIAS_TENSOR = Raw("bias", "f16", (5,), lambda index: finite16(1, index))
WEIGHT_TENSOR = Int4(
    "weight",
    (40, 50),
    code=lambda r, c: noise(2, 50 * r + c) & 15,
    scale=lambda _i, _j: 0x2E66,
    zero_point=lambda _i, _j: 7,
)


@valid("LLQ-PART-8", "LLQ-PART-9", "LLQ-REC-5", "LLQ-RAW-1")
def control() -> Package:
    """A raw tensor and an INT4 tensor of one block in one shard, which most invalid vectors change."""
    return assemble([BIAS_TENSOR, WEIGHT_TENSOR])


def split_matrix(rows: int = 128, name: str = "weight") -> Int4:
    """Return a matrix of one block column whose block rows differ in every respect."""
    return Int4(
        name,
        (rows, 64),
        code=lambda r, c: noise(3, 64 * r + c) & 15,
        scale=lambda i, _j: 0x2C00 + 0x101 * i,
        zero_point=lambda i, _j: 3 + 4 * i,
    )


@valid("LLQ-PART-10", "LLQ-PART-2", "LLQ-SHARD-4", "LLQ-CANON-4")
def control_shards() -> Package:
    """An INT4 tensor in two parts, which fill two shards of equal length."""
    return assemble([split_matrix()], shard_limit=3072)


@valid("LLQ-PART-10", "LLQ-PART-1", "LLQ-CANON-4")
def control_parts() -> Package:
    """A raw tensor in three parts; the last part leaves room for the next tensor."""
    first = Raw("first", "f32", (100, 16), lambda index: finite32(4, index))
    second = Int4("second", (10, 11), lambda r, c: r * c & 15, zero_point=None)
    return assemble([first, second], shard_limit=3328)


@valid("LLQ-RAW-3", "LLQ-CANON-3")
def control_raw() -> Package:
    """Two raw tensors in a shard of 768 bytes: the package for violations that need no INT4 tensor."""
    return assemble([BIAS_TENSOR, Raw("weight", "f32", (4, 5), lambda index: finite32(11, index))])


@valid("LLQ-PKG-4", "LLQ-PKG-5", "LLQ-PKG-11", "LLQ-HASH-2", "LLQ-WGSL-2", "LLQ-PROG-3")
def control_files() -> Package:
    """A tiny dense model with a tokenizer, a module and a program."""
    return with_program(with_tokenizer(model_package(tiny())))


@valid("LLQ-TENSOR-3", "LLQ-TENSOR-4", "LLQ-TENSOR-5", "LLQ-CANON-3", "LLQ-MODEL-6")
def control_model() -> Package:
    """A tiny dense model."""
    return with_tokenizer(model_package(tiny()))


EXPERTS = tiny(
    layers=[
        layer(
            {"rope": False, "chunk_size": 16, "temperature": {"attn_scale": 0.1, "floor_scale": 8192}},
            {"moe": {"num_experts": 2, "shared_intermediate_size": 3}, "intermediate_size": 2},
        )
    ]
)


@valid("LLQ-TENSOR-3", "LLQ-MODEL-2", "LLQ-MODEL-3")
def control_experts() -> Package:
    """A model of one layer with experts, chunks and temperature, and without position embedding."""
    return with_tokenizer(model_package(EXPERTS), special_tokens={"bos_token": "<s>", "pad_token": ""})
