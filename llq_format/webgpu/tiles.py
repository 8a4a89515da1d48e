"""Which kernel multiplies a matrix, and how many rows and tokens a workgroup of it takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from llq_format.metadata import TensorEntry

EMBED_COLS = 256
"""Columns that a workgroup of `embed` copies."""

RAW_ROWS = 32
"""Rows that a workgroup of `matvec_raw` takes."""


WIDEN_ELEMENTS = 256
"""Elements that a workgroup of `widen` takes at a time."""


@dataclass(frozen=True, slots=True)
class Tile:
    """An entry point and the rows and tokens that one of its workgroups takes."""

    entry_point: str
    rows: int
    tokens: int


TILES: Mapping[str, Tile] = {
    tile.entry_point: tile
    for tile in (
        Tile("matvec_int8", 32, 1),
        Tile("matvec_int8_r16", 16, 1),
        Tile("matvec_int8_r8", 8, 1),
        Tile("matvec_binary16", 64, 1),
        Tile("matmul_int8", 64, 64),
        Tile("matmul_binary16", 64, 64),
    )
}
"""The entry points that multiply INT4 matrices."""


def matvec_tile(form: Literal["int8", "binary16"], _tensor: TensorEntry) -> Tile:
    """Return the kernel for one token at a time."""
    return TILES[f"matvec_{form}"]


def matmul_tile(form: Literal["int8", "binary16"], _tensor: TensorEntry) -> Tile:
    """Return the kernel for a chunk of tokens."""
    return TILES[f"matmul_{form}"]
