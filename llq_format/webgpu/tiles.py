"""Which kernel multiplies a matrix, and how many rows and tokens a workgroup of it takes."""

from dataclasses import dataclass
from typing import Literal

from llq_format.metadata import TensorEntry

EMBED_COLS = 256
"""Columns that a workgroup of `embed` copies."""

RAW_ROWS = 32
"""Rows that a workgroup of `matvec_raw` takes."""


@dataclass(frozen=True, slots=True)
class Tile:
    """An entry point and the rows and tokens that one of its workgroups takes."""

    entry_point: str
    rows: int
    tokens: int


def matvec_tile(form: Literal["int8", "binary16"], _tensor: TensorEntry) -> Tile:
    """Return the kernel for one token at a time."""
    return Tile(f"matvec_{form}", 64, 1)


def matmul_tile(form: Literal["int8", "binary16"], _tensor: TensorEntry) -> Tile:
    """Return the kernel for a chunk of tokens."""
    return Tile(f"matmul_{form}", 64, 64)
