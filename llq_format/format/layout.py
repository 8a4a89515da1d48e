"""The byte layout of shards: preamble, PackedWeight slot, sections (spec: Shards and records).

The declarations are construct's, and serve the reader, the writer, `llq dump` and the errors alike.
All integers are little-endian.
"""

from dataclasses import dataclass
from typing import Literal

from construct import Bytes, Const, Int16ul, Int32ul, Int64ul, Padding, Struct

ALIGNMENT = 256  # WebGPU's default minStorageBufferOffsetAlignment
BLOCK = 64  # rows and columns of a block
BLOCK_BYTES = 2048  # packed bytes of a block
PREAMBLE_BYTES = 256
SLOT_BYTES = 256
MAGIC = bytes.fromhex("89 4C 4C 51 0D 0A 1A 0A")
VERSION = (1, 0)
VERSION_TEXT = "1.0"
SHARD_LIMIT_DEFAULT = 1 << 28  # WebGPU's default maxBufferSize
SHARD_LIMIT_MAX = (1 << 32) - ALIGNMENT

Dtype = Literal["int4_affine", "int4_symmetric", "f16", "f32"]
RAW_ITEM_BYTES = {"f16": 2, "f32": 4}

PREAMBLE = Struct(
    "magic" / Bytes(8),
    "version_major" / Int16ul,
    "version_minor" / Int16ul,
    "shard_index" / Int32ul,
    "shard_count" / Int32ul,
    "reserved_20" / Bytes(4),
    "byte_length" / Int64ul,
    "reserved_32" / Bytes(224),
)
"""The first 256 bytes of a shard, as found: values are checked by rule, not by the parser."""

PREAMBLE_WRITTEN = Struct(
    "magic" / Const(MAGIC),
    "version_major" / Const(VERSION[0], Int16ul),
    "version_minor" / Const(VERSION[1], Int16ul),
    "shard_index" / Int32ul,
    "shard_count" / Int32ul,
    Padding(4),
    "byte_length" / Int64ul,
    Padding(224),
)
"""The first 256 bytes of a shard, as a writer makes them."""

PACKED_WEIGHT = Struct(
    "block_rows" / Int32ul,
    "block_cols" / Int32ul,
    "num_blocks" / Int32ul,
    "offset" / Int32ul,
    "reserved_16" / Bytes(240),
)
"""The slot of a record, as found."""

PACKED_WEIGHT_WRITTEN = Struct(
    "block_rows" / Const(BLOCK, Int32ul),
    "block_cols" / Const(BLOCK, Int32ul),
    "num_blocks" / Int32ul,
    "offset" / Int32ul,
    Padding(240),
)
"""The slot of a record, as a writer makes it."""


def ceil_div(a: int, b: int) -> int:
    """Return the least integer not below a / b."""
    return -(-a // b)


def align(n: int) -> int:
    """Return the least multiple of 256 not below n."""
    return ceil_div(n, ALIGNMENT) * ALIGNMENT


def is_int4(dtype: str) -> bool:
    """Return whether tensors of this dtype are stored as records."""
    return dtype.startswith("int4_")


def rows_cols(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (rows, cols) of a shape; a tensor of one dimension has rows of one element."""
    rows, cols = (*shape, 1, 1)[:2]
    return rows, cols


def block_grid(rows: int, cols: int) -> tuple[int, int]:
    """Return how many blocks cover a matrix, down and across."""
    return ceil_div(rows, BLOCK), ceil_div(cols, BLOCK)


@dataclass(frozen=True, slots=True)
class Section:
    """A named range of a part: `offset` from the part's start, `size` without padding, `end` with it."""

    name: str
    offset: int
    size: int

    @property
    def end(self) -> int:
        """Where the section's padding ends."""
        return self.offset + align(self.size)


def sections(dtype: str, rows: int, cols: int) -> tuple[Section, ...]:
    """Return the sections of a part of that many rows and columns, in order; they tile it.

    An INT4 part has slot, scale, zero_point (int4_affine only) and packed; a raw part has data.
    """
    if not is_int4(dtype):
        return (Section("data", 0, rows * cols * RAW_ITEM_BYTES[dtype]),)
    down, across = block_grid(rows, cols)
    blocks = down * across
    sizes = [("slot", SLOT_BYTES), ("scale", 2 * blocks)]
    if dtype == "int4_affine":
        sizes.append(("zero_point", blocks))
    sizes.append(("packed", BLOCK_BYTES * blocks))
    result: list[Section] = []
    for name, size in sizes:
        result.append(Section(name, result[-1].end if result else 0, size))
    return tuple(result)


def part_bytes(dtype: str, rows: int, cols: int) -> int:
    """Return the byte length of a part of that many rows and columns (rule LLQ-PART-5)."""
    return sections(dtype, rows, cols)[-1].end
