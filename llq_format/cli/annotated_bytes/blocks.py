"""The blocks of an INT4 tensor: the places of their bytes and their values."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from llq_format.cli.annotated_bytes.shard_bytes import ShardBytes
from llq_format.format.dequantize import ZERO_POINT_SYMMETRIC
from llq_format.format.layout import BLOCK, BLOCK_BYTES, PLANE_BYTES, block_grid
from llq_format.format.packing import unpack
from llq_format.format.record import PLANE_FIELDS
from llq_format.format.sections import sections
from llq_format.metadata.metadata import TensorEntry

_ROW_BYTES = PLANE_BYTES // BLOCK  # bytes of a row of a block in a plane
_SCALE = next(section for section in sections("int4_affine", 1, 1) if section.name == "scale")


@dataclass(frozen=True, slots=True)
class Block:
    """Block `number` of a tensor, which is (i, j) of a part, and the offsets of its bytes in the shard."""

    number: int
    part: int
    i: int
    j: int
    scale_at: int
    zero_point_at: int | None
    packed_at: int


def blocks(tensor: TensorEntry) -> Iterator[Block]:
    """Yield the blocks of a tensor in order."""
    number = 0
    for index, part in enumerate(tensor.parts):
        down, across = block_grid(part.num_rows, tensor.cols)
        by_name = {s.name: s for s in sections(tensor.dtype, part.num_rows, tensor.cols)}
        scale, zero_point, packed = by_name["scale"], by_name.get("zero_point"), by_name["packed"]
        for b in range(down * across):
            yield Block(
                number,
                index,
                b // across,
                b % across,
                part.offset + scale.item_offset(b),
                None if zero_point is None else part.offset + zero_point.item_offset(b),
                part.offset + packed.item_offset(b),
            )
            number += 1


def block_count(tensor: TensorEntry) -> int:
    """Return the number of blocks in the parts of a tensor."""
    grids = (block_grid(part.num_rows, tensor.cols) for part in tensor.parts)
    return sum(down * across for down, across in grids)


def scale_of(block: Block, shard: ShardBytes) -> tuple[str, float] | None:
    """Return the bits of a block's scale, in hexadecimal, and its value; None after the end of the file."""
    data = shard.read(block.scale_at, _SCALE.item_bytes)
    if len(data) < _SCALE.item_bytes:
        return None
    return f"{int.from_bytes(data, 'little'):04X}", float(np.frombuffer(data, _SCALE.dtype)[0])


def zero_point_of(block: Block, shard: ShardBytes) -> int | None:
    """Return a block's zero_point, 8 if the tensor is symmetric; None after the end of the file."""
    if block.zero_point_at is None:
        return ZERO_POINT_SYMMETRIC
    data = shard.read(block.zero_point_at, 1)
    return int.from_bytes(data, "little", signed=True) if data else None


@dataclass(frozen=True, slots=True)
class BlockRow:
    """A row of a block: 16 bytes of each plane and their 64 codes; None after the end of the file."""

    row: int
    low_at: int
    low: bytes
    high_at: int
    high: bytes
    codes: list[int] | None


def rows_of(block: Block, shard: ShardBytes) -> list[BlockRow]:
    """Return the 64 rows of a block."""
    data = shard.read(block.packed_at, BLOCK_BYTES)
    padded = np.frombuffer(data.ljust(BLOCK_BYTES, b"\0"), np.uint8)
    codes = unpack(padded).tolist()
    rows = []
    for row in range(BLOCK):
        low, high = (PLANE_FIELDS[plane].offset + row * _ROW_BYTES for plane in ("low", "high"))
        rows.append(
            BlockRow(
                row,
                block.packed_at + low,
                data[low : low + _ROW_BYTES],
                block.packed_at + high,
                data[high : high + _ROW_BYTES],
                codes[row] if len(data) >= high + _ROW_BYTES else None,
            )
        )
    return rows


def block_json(block: Block, shard: ShardBytes) -> dict[str, Any]:
    """Return a block's place, scale and zero_point; values after the end of the file are null."""
    scale, zero_point = scale_of(block, shard), zero_point_of(block, shard)
    return {
        "block": block.number,
        "part": block.part,
        "block_row": block.i,
        "block_col": block.j,
        "scale_offset": block.scale_at,
        "scale_bits": scale and scale[0],
        "scale": scale[1] if scale and np.isfinite(scale[1]) else None,
        "zero_point_offset": block.zero_point_at,
        "zero_point": zero_point,
        "packed_offset": block.packed_at,
    }


def row_json(row: BlockRow) -> dict[str, Any]:
    """Return a row of a block, its bytes in hexadecimal."""
    return {
        "row": row.row,
        "low": {"offset": row.low_at, "bytes": row.low.hex(" ").upper()},
        "high": {"offset": row.high_at, "bytes": row.high.hex(" ").upper()},
        "codes": row.codes,
    }
