"""The byte ranges of a part, from its declaration (spec: Shards and records)."""

from dataclasses import dataclass
from functools import cache, lru_cache
from math import prod
from typing import Any

import numpy as np
from construct import FormatField

from llq_format.format.declarations import members, type_name
from llq_format.format.layout import block_grid, ceil_div, is_int4
from llq_format.format.shard import PARTS


@dataclass(frozen=True, slots=True)
class Section:
    """A named range of a part.

    offset: in bytes, from the part's start; size: in bytes, without padding; end: where the padding ends.
    item: the type of the items, such as `binary16` or `block`; item_bytes: bytes of each.
    dtype: NumPy's for items that are numbers, uint8 for structures.
    """

    name: str
    offset: int
    size: int
    end: int
    item: str
    item_bytes: int
    dtype: np.dtype[Any]

    @property
    def count(self) -> int:
        """Number of items."""
        return self.size // self.item_bytes

    def item_offset(self, index: int) -> int:
        """Return where item `index` begins, in bytes from the part's start."""
        return self.offset + index * self.item_bytes


@dataclass(frozen=True, slots=True)
class _Kind:
    """A section with any number of items; `repeated` if every block or value has an item."""

    name: str
    item: str
    item_bytes: int
    dtype: np.dtype[Any]
    repeated: bool
    alignment: int


@cache
def _kinds(dtype: str) -> tuple[_Kind, ...]:
    """Return the kinds of sections of a part, in order."""
    return tuple(
        _Kind(
            member.name,
            type_name(member.item),
            member.item_bytes,
            np.dtype(member.item.fmtstr if isinstance(member.item, FormatField) else np.uint8),
            callable(member.count),
            member.alignment,
        )
        for member in members(PARTS[dtype])
    )


@lru_cache(1 << 12)
def sections(dtype: str, rows: int, cols: int) -> tuple[Section, ...]:
    """Return the sections of a part of that many rows and columns, in order; they tile the part.

    An INT4 part has slot, scale, zero_point (int4_affine only) and packed; a raw part has data.
    """
    count = prod(block_grid(rows, cols)) if is_int4(dtype) else rows * cols
    result: list[Section] = []
    end = 0
    for kind in _kinds(dtype):
        offset, size = end, kind.item_bytes * (count if kind.repeated else 1)
        end = offset + ceil_div(size, kind.alignment) * kind.alignment
        result.append(Section(kind.name, offset, size, end, kind.item, kind.item_bytes, kind.dtype))
    return tuple(result)


def part_bytes(dtype: str, rows: int, cols: int) -> int:
    """Return the byte length of a part of that many rows and columns (LLQ-PART-5)."""
    return sections(dtype, rows, cols)[-1].end


def item_bytes(dtype: str) -> dict[str, int]:
    """Return the bytes of an item of each section of a part, by the section's name."""
    return {kind.name: kind.item_bytes for kind in _kinds(dtype)}
