"""Invalid: stage shards, slots and padding."""

from __future__ import annotations

import struct

from vectors.cases.control import (
    BIAS,
    PACKED,
    SCALE,
    SLOT,
    WEIGHT_TENSOR,
    ZERO_POINT,
    control,
    control_parts,
    control_shards,
)
from vectors.kit.noise import finite16
from vectors.kit.package import Package, assemble
from vectors.kit.registry import Key, invalid
from vectors.kit.tensor import Int4, Raw

SIZES = {
    "0 and 64": (0, 64),
    "32 and 64": (32, 64),
    "64 and 32": (64, 32),
    "64 and 0": (64, 0),
    "128 and 128": (128, 128),
    "40 and 50, the shape": (40, 50),
    "64 and 64, byte-swapped": (64 << 24, 64 << 24),
    "64 and 65600": (64, 65_600),
}


@invalid("LLQ-REC-1", cases=SIZES)
def block_size(sizes: tuple[int, int]) -> Package:
    """block_rows and block_cols are {}, and MUST be 64."""
    return control().poke(SLOT, struct.pack("<II", *sizes))


COUNTS = {
    "0": 0,
    "2": 2,
    "2048": 2048,
    "2^21 + 1, whose product with 2048 wraps": 2**21 + 1,
    "2^31": 2**31,
    "2^32 - 1": 2**32 - 1,
    "1 byte-swapped": 1 << 24,
    "65537": 65_537,
}


@invalid("LLQ-REC-2", "LLQ-READ-3", cases=COUNTS)
def num_blocks(count: int) -> Package:
    """num_blocks of one block is wrong ({}): it MUST be ceil(rows / 64) ceil(cols / 64)."""
    return control().poke(SLOT + 8, struct.pack("<I", count))


@invalid("LLQ-REC-2")
def num_blocks_of_the_whole_tensor() -> Package:
    """num_blocks of a part counts the blocks of all parts of its tensor, and MUST count those of the part."""
    return control_shards().poke(256 + 8, struct.pack("<I", 2), index=1)


@invalid("LLQ-REC-2")
def num_blocks_by_floor() -> Package:
    """num_blocks of a 65 x 1 matrix is 1, as if rows were divided by 64 without rounding up."""
    matrix = Int4("weight", (65, 1), lambda r, _c: r & 15)
    return assemble([matrix]).poke(256 + 8, struct.pack("<I", 1))


OFFSETS = {
    "0": 0,
    "256, relative to the record": 256,
    "512, that of the record": SLOT,
    "of the zero points": ZERO_POINT,
    "769": SCALE + 1,
    "byte-swapped": int.from_bytes(SCALE.to_bytes(4, "big"), "little"),
    Key("beyond the shard", "after the end of the shard"): 1 << 20,
    "2^32 - 256": 2**32 - 256,
}


@invalid("LLQ-REC-3", cases=OFFSETS)
def record_offset(offset: int) -> Package:
    """The offset of a record at 512 is wrong ({}): it MUST be 768."""
    return control().poke(SLOT + 12, struct.pack("<I", offset))


@invalid("LLQ-REC-3")
def record_offset_in_the_last_shard() -> Package:
    """The offset of a record after a raw part counts from the record, and MUST count from the shard."""
    package = control_parts()
    record = package.get("/tensors/1/parts/0")
    return package.poke(record["offset"] + 12, struct.pack("<I", 256), index=record["shard"])


@invalid("LLQ-REC-4", cases={"16": 16, "20": 20, "128": 128, "255": 255})
def slot_reserved(offset: int) -> Package:
    """Byte {} of a slot is 1: bytes 16 to 255 MUST be zero."""
    return control().poke(SLOT + offset, b"\1")


GAPS = {
    Key("the first byte behind the scales", "the first byte after the scales"): SCALE + 2,
    "the last byte of the scale section": ZERO_POINT - 1,
    Key("the first byte behind the zero points", "the first byte after the zero points"): ZERO_POINT + 1,
    "the last byte of the zero_point section": PACKED - 1,
}


@invalid("LLQ-REC-5", cases=GAPS)
def section_padding(offset: int) -> Package:
    """A byte of padding is FF ({}): it MUST be zero."""
    return control().poke(offset, b"\xff")


@invalid("LLQ-REC-5")
def padding_of_a_symmetric_record() -> Package:
    """The padding after the scale of a symmetric record is not zero."""
    matrix = Int4("weight", (9, 9), lambda r, c: r + c & 15, zero_point=None)
    return assemble([matrix]).poke(767, b"\1")


@invalid("LLQ-REC-5")
def scales_beyond_the_blocks() -> Package:
    """A second scale follows the scale of the only block, where padding MUST be zero."""
    return assemble([WEIGHT_TENSOR]).poke(514, struct.pack("<H", 0x3C00))


RAW_GAPS = {"first": BIAS + 10, "last": SLOT - 1, "middle": BIAS + 100}


@invalid("LLQ-RAW-1", cases=RAW_GAPS)
def raw_padding(offset: int) -> Package:
    """The {} byte of a raw tensor's padding is 80, and MUST be zero."""
    return control().poke(offset, b"\x80")


@invalid("LLQ-RAW-1")
def raw_padding_of_the_last_part() -> Package:
    """The padding of the last part of a raw tensor in three parts is not zero."""
    rows = Raw("rows", "f16", (8, 100), lambda index: finite16(12, index))
    return assemble([rows], shard_limit=1024).poke(256 + 400, b"\1", index=2)
