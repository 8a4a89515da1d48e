"""Invalid: stage payload, values that no decoder may have to handle."""

from __future__ import annotations

import struct

from vectors.cases.control import (
    BIAS,
    PACKED,
    SCALE,
    ZERO_POINT,
    control,
    control_model,
    control_parts,
    control_shards,
)
from vectors.kit.model import model_tensors, tiny, with_tokenizer
from vectors.kit.package import Package, assemble
from vectors.kit.registry import Key, invalid
from vectors.kit.tensor import Int4, Raw

SCALES = {
    "zero": 0x0000,
    "minus zero": 0x8000,
    Key("the least subnormal", "the smallest subnormal"): 0x0001,
    Key("the greatest subnormal", "the largest subnormal"): 0x03FF,
    "a negative subnormal": 0x8001,
    Key("the least normal, negative", "the smallest normal, negative"): 0x8400,
    "minus one": 0xBC00,
    "infinite": 0x7C00,
    "minus infinity": 0xFC00,
    "a quiet NaN": 0x7E00,
    "a signalling NaN": 0x7C01,
    "a negative NaN": 0xFFFF,
}


@invalid("LLQ-DEQ-1", cases=SCALES)
def scale_is(bits: int) -> Package:
    """A scale is {}: every scale MUST be a positive, normal, finite binary16."""
    return control().poke(SCALE, struct.pack("<H", bits))


@invalid("LLQ-DEQ-1")
def scale_of_the_last_block() -> Package:
    """The scale of the last of six blocks is zero."""
    matrix = Int4("weight", (65, 130), lambda r, c: r + c & 15)
    return assemble([matrix]).poke(512 + 10, b"\0\0")


@invalid("LLQ-DEQ-1")
def scale_of_block_257() -> Package:
    """The scale of the last of 257 blocks is zero: every scale MUST be a positive, finite binary16."""
    matrix = Int4("weight", (1, 257 * 64), lambda _r, c: c & 15)
    return assemble([matrix]).poke(512 + 2 * 256, b"\0\0")


@invalid("LLQ-DEQ-1")
def scale_of_the_last_part() -> Package:
    """The scale of the last part of a tensor is NaN."""
    return control_shards().poke(512, b"\0\x7e", index=1)


@invalid("LLQ-DEQ-1")
def scale_of_a_symmetric_block() -> Package:
    """The scale of a symmetric block is subnormal."""
    matrix = Int4("weight", (9, 9), lambda r, c: r + c & 15, zero_point=None)
    return assemble([matrix]).poke(512, b"\1\0")


BOUNDS = {
    "8192 and 8": (0x7000, 8),
    "8192 and 7": (0x7000, 7),
    "65504 and 0": (0x7BFF, 0),
    "65504 and 8": (0x7BFF, 8),
    "458.25 and -128": (0x5F29, -128),
    "516 and 127": (0x6008, 127),
    Key("4400 and 0, beyond by the code 15", "4400 and 0, where code 15 exceeds the bound"): (0x6C4C, 0),
    Key("4400 and 15, beyond by the code 0", "4400 and 15, where code 0 exceeds the bound"): (0x6C4C, 15),
    "4680 and -1": (0x6C92, -1),
    "5956 and 4, which binary16 rounds to the bound": (0x6DD1, 4),
    "5956 and 11, which binary16 rounds to the bound": (0x6DD1, 11),
}


@invalid("LLQ-DEQ-2", cases=BOUNDS)
def scale_and_zero_point(values: tuple[int, int]) -> Package:
    """Scale and zero_point are too large ({}): the largest weight MUST be at most 65504."""
    return control().poke(SCALE, struct.pack("<H", values[0])).poke(ZERO_POINT, struct.pack("<b", values[1]))


@invalid("LLQ-DEQ-2")
def bound_of_the_last_of_257_blocks() -> Package:
    """Scale and zero_point of the last of 257 blocks are 8192 and 7: code 15 exceeds the bound."""
    matrix = Int4("weight", (1, 257 * 64), code=lambda _r, _c: 7, zero_point=lambda _i, _j: 7)
    return assemble([matrix]).poke(512 + 2 * 256, struct.pack("<H", 0x7000))


@invalid("LLQ-DEQ-2")
def bound_of_unused_codes() -> Package:
    """Code 15 violates the bound, and the block uses only code 8: the bound MUST hold for all codes."""
    matrix = Int4("weight", (64, 64), lambda _r, _c: 8, lambda _i, _j: 0x6DD1, lambda _i, _j: 4)
    return assemble([matrix])


@invalid("LLQ-DEQ-2")
def bound_of_a_symmetric_block() -> Package:
    """The scale of a symmetric block is 8192: code 0 denotes -65536."""
    matrix = Int4("weight", (9, 9), lambda r, c: r + c & 15, zero_point=None)
    return assemble([matrix]).poke(512, struct.pack("<H", 0x7000))


FIRST_BLOCK = 1024
"""Offset of the blocks of the only matrix, which has at most 128 blocks."""

OUTSIDE = {
    "the first column outside": (0, 50, 0),
    "the last column": (0, 63, 1),
    "the first row outside": (40, 0, 2),
    "the last row": (63, 0, 3),
    "the last corner": (63, 63, 3),
    "the row and column next to the matrix": (40, 50, 0),
}


@invalid("LLQ-PACK-1", cases=OUTSIDE)
def code_in(place: tuple[int, int, int]) -> Package:
    """A code outside a 40 x 50 matrix, in {}, is not 0."""
    row, column, bit = place
    element = 64 * row + column
    at = PACKED + 1024 * (bit >> 1) + (element >> 2)
    package = control()
    byte = package.shards[0][at] | 1 << (2 * (element & 3) + (bit & 1))
    return package.poke(at, bytes([byte]))


@invalid("LLQ-PACK-1")
def code_outside_in_an_inner_block() -> Package:
    """In a grid of 2 x 2 blocks, a code of the second block that is outside the matrix is 12."""
    matrix = Int4("weight", (65, 65), lambda r, c: r + c & 15)
    return assemble([matrix]).poke(1024 + 2048 + 1024, b"\x3f")


@invalid("LLQ-PACK-1")
def code_outside_in_the_second_block_row() -> Package:
    """In a grid of 3 x 1 blocks, a code of the second block that is outside the matrix is 1."""
    matrix = Int4("weight", (129, 63), lambda r, c: r + c & 15)
    package = assemble([matrix])
    at = FIRST_BLOCK + 2048 + 15
    return package.poke(at, bytes([package.shards[0][at] | 0x40]))


@invalid("LLQ-PACK-1")
def code_outside_below_18_block_rows() -> Package:
    """In a grid of 18 x 3 blocks, the last code of the second block of the last block row is 8."""
    matrix = Int4("weight", (17 * 64 + 1, 129), lambda r, c: r * c & 15)
    return assemble([matrix]).poke(FIRST_BLOCK + (17 * 3 + 2) * 2048 - 1, b"\x80")


@invalid("LLQ-PACK-1")
def codes_outside_are_the_zero_point() -> Package:
    """All codes outside the matrix equal the zero_point: they would decode to zero, and MUST be 0."""
    tensor = Int4("weight", (64, 64), lambda r, c: (r + c & 15) if r < 40 and c < 50 else 8)
    package = assemble([tensor]).set("/tensors/0/shape", [40, 50])
    return package.set("/tensors/0/parts/0/num_rows", 40)


F16 = {"infinite": 0x7C00, "minus infinity": 0xFC00, "a quiet NaN": 0x7E00, "a signalling NaN": 0xFD01}


@invalid("LLQ-RAW-2", cases=F16)
def f16_is(bits: int) -> Package:
    """A value of an f16 tensor is {}, and MUST be finite."""
    return control().poke(BIAS + 8, struct.pack("<H", bits))


F32 = {
    "infinite": 0x7F800000,
    "minus infinity": 0xFF800000,
    "a quiet NaN": 0x7FC00000,
    "a signalling NaN": 0x7F800001,
}


@invalid("LLQ-RAW-2", cases=F32)
def f32_is(bits: int) -> Package:
    """A value of an f32 tensor is {}, and MUST be finite."""
    tensor = Raw("weight", "f32", (3, 3), lambda index: bits if index == 8 else 0x3F800000)
    return assemble([tensor])


DISTANT = {
    "the last of 325 values in f16": Raw(
        "weight", "f16", (65, 5), lambda index: 0x7E00 if index == 324 else 0x3C00
    ),
    "the last of 65,537 values in f32": Raw(
        "weight", "f32", (65_537,), lambda index: 0x7F800000 if index == 65_536 else 0x3F800000
    ),
}


@invalid("LLQ-RAW-2", cases=DISTANT)
def not_finite_is(tensor: Raw) -> Package:
    """A value, {}, is not finite: every value of a raw tensor MUST be finite."""
    return assemble([tensor])


@invalid("LLQ-RAW-2")
def not_finite_in_the_last_part() -> Package:
    """The first value in the last of three parts of a raw tensor is NaN."""
    return control_parts().poke(256, struct.pack("<I", 0x7FC00000), index=2)


FREQUENCIES = {
    "0": 0x00000000,
    "minus zero": 0x80000000,
    "negative": 0xBF000000,
    "a little above 1": 0x3F800001,
}


@invalid("LLQ-MODEL-6", cases=FREQUENCIES)
def inv_freq_is(bits: int) -> Package:
    """A value of rope.inv_freq is {}, and MUST be greater than 0 and at most 1."""
    model = tiny(head_dim=4)
    tensors = model_tensors(model)[:-1]
    tensors.append(Raw("rope.inv_freq", "f32", (2,), lambda index: bits if index else 0x3F800000))
    return with_tokenizer(assemble(tensors, model=model))


@invalid("LLQ-MODEL-6", cases={"2": 0x40000000, "0": 0})
def last_of_80_frequencies_is(bits: int) -> Package:
    """The last of 80 values of rope.inv_freq is {}, and MUST be greater than 0 and at most 1."""
    model = tiny(head_dim=160)
    tensors = model_tensors(model)[:-1]
    tensors.append(Raw("rope.inv_freq", "f32", (80,), lambda index: bits if index == 79 else 0x3F800000))
    return with_tokenizer(assemble(tensors, model=model))


@invalid("LLQ-RAW-2")
def inv_freq_is_nan() -> Package:
    """rope.inv_freq is NaN: every value of a raw tensor MUST be finite."""
    package = control_model()
    return package.poke(package.get("/tensors/8/parts/0/offset"), struct.pack("<I", 0x7FC00000))
