"""The ranges of a tensor in shards, split so that each binding is within the default limits."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from llq_format.format.layout import ALIGNMENT, BLOCK, BLOCK_BYTES, ceil_div
from llq_format.format.raw_tensor import RAW_ITEM_BYTES
from llq_format.format.sections import sections
from llq_format.metadata.metadata import TensorEntry
from llq_format.webgpu.planning.program import ShardRange

MAX_BINDING = 128 << 20
"""maxStorageBufferBindingSize that every device offers, in bytes."""

MAX_WORKGROUPS = 65535
"""maxComputeWorkgroupsPerDimension that every device offers."""


@dataclass(frozen=True, slots=True)
class Int4Range:
    """A run of block rows of an INT4 part; scale and zero_point are the whole sections of the part."""

    name: str
    packed: ShardRange
    scale: ShardRange
    zero_point: ShardRange | None
    first_row: int
    rows: int
    first_block: int


@dataclass(frozen=True, slots=True)
class RawRange:
    """A run of rows of a raw part."""

    name: str
    data: ShardRange
    first_row: int
    rows: int


def int4_ranges(tensor: TensorEntry, rows_per_workgroup: int = BLOCK) -> Iterator[Int4Range]:
    """Yield the runs of an INT4 tensor. Raises ValueError if one block row exceeds a binding."""
    across = ceil_div(tensor.cols, BLOCK)
    limit = min(MAX_BINDING // (across * BLOCK_BYTES), MAX_WORKGROUPS * rows_per_workgroup // BLOCK)
    if limit == 0:
        raise ValueError(
            f"tensor {tensor.name!r}: one block row of {tensor.cols} columns exceeds the limit of a binding"
        )
    for number, part in enumerate(tensor.parts):
        section_ranges = {
            section.name: ShardRange(part.shard, part.offset + section.offset, section.end - section.offset)
            for section in sections(tensor.dtype, part.num_rows, tensor.cols)
        }
        down = ceil_div(part.num_rows, BLOCK)
        for first in range(0, down, limit):
            count = min(limit, down - first)
            offset = section_ranges["packed"].offset + first * across * BLOCK_BYTES
            yield Int4Range(
                _numbered(tensor, number, first),
                ShardRange(part.shard, offset, count * across * BLOCK_BYTES),
                section_ranges["scale"],
                section_ranges.get("zero_point"),
                part.first_row + first * BLOCK,
                min(count * BLOCK, part.num_rows - first * BLOCK),
                first * across,
            )


def raw_ranges(tensor: TensorEntry, rows_per_workgroup: int = 1) -> Iterator[RawRange]:
    """Yield the runs of a raw tensor, each beginning on a multiple of 256. Raises ValueError as above."""
    row_bytes = tensor.cols * RAW_ITEM_BYTES[tensor.dtype]
    step = ALIGNMENT // math.gcd(ALIGNMENT, row_bytes)
    limit = min(MAX_BINDING // row_bytes, MAX_WORKGROUPS * rows_per_workgroup) // step * step
    for number, part in enumerate(tensor.parts):
        if limit == 0 and part.num_rows * row_bytes > MAX_BINDING:
            raise ValueError(f"tensor {tensor.name!r}: rows of {tensor.cols} columns cannot be bound")
        for first in range(0, part.num_rows, limit or part.num_rows):
            rows = min(limit or part.num_rows, part.num_rows - first)
            data = ShardRange(
                part.shard, part.offset + first * row_bytes, ceil_div(rows * row_bytes, 16) * 16
            )
            yield RawRange(_numbered(tensor, number, first), data, part.first_row + first, rows)


def _numbered(tensor: TensorEntry, part: int, first: int) -> str:
    """Return a name for a range; a single range has the name of its tensor."""
    return tensor.name if part == first == 0 else f"{tensor.name}+{tensor.parts[part].first_row + first}"
