"""The sizes of the layout, and the number of blocks of a matrix (spec: Shards and records).

`shard`, `record` and `raw_tensor` declare the layout with construct; `sections` has the ranges of a part.
"""

from typing import Literal

ALIGNMENT = 256
"""Bytes; every part and section begins on a multiple: WebGPU's default minStorageBufferOffsetAlignment."""

BLOCK = 64
"""Rows, and columns, of a block."""

PLANE_BYTES = BLOCK * BLOCK * 2 // 8
"""Bytes of a plane: two bits of every code of a block (LLQ-PACK-3)."""

BLOCK_BYTES = 2 * PLANE_BYTES
"""Packed bytes of a block: the low-order and the high-order plane."""

VERSION = (1, 0)
VERSION_TEXT = "{}.{}".format(*VERSION)
SHARD_LIMIT_DEFAULT = 1 << 28
"""Bytes: WebGPU's default maxBufferSize."""

SHARD_LIMIT_MAX = (1 << 32) - ALIGNMENT

Dtype = Literal["int4_affine", "int4_symmetric", "f16", "f32"]


def ceil_div(a: int, b: int) -> int:
    """Return the smallest integer that is at least a / b."""
    return -(-a // b)


def align(n: int) -> int:
    """Return the smallest multiple of ALIGNMENT that is at least n."""
    return ceil_div(n, ALIGNMENT) * ALIGNMENT


def is_int4(dtype: str) -> bool:
    """Return whether tensors of this dtype are stored as records."""
    return dtype.startswith("int4_")


def rows_cols(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (rows, cols) of a shape; a tensor of one dimension has rows of one element."""
    rows, cols = (*shape, 1, 1)[:2]
    return rows, cols


def block_grid(rows: int, cols: int) -> tuple[int, int]:
    """Return the number of blocks of a matrix, down and across."""
    return ceil_div(rows, BLOCK), ceil_div(cols, BLOCK)
