"""The selection of a kernel for a matrix, with its rows and tokens per workgroup."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from llq_format.metadata.metadata import TensorEntry

EMBED_COLS = 256
"""Number of columns per workgroup of `embed`."""

RAW_ROWS = 32
"""Number of rows per workgroup of `matvec_raw`."""

BIAS_ROWS = 256
"""Number of rows per workgroup of `add_bias`."""


WIDEN_ELEMENTS = 256
"""Number of elements per step of a workgroup of `widen`."""


@dataclass(frozen=True, slots=True)
class Tile:
    """An entry point with the rows and tokens of one workgroup."""

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
        Tile("matvec_binary16_r16", 16, 1),
        Tile("matmul_int8", 64, 64),
        Tile("matmul_int8_split", 64, 32),
        Tile("matmul_binary16", 64, 64),
    )
}
"""The entry points that multiply INT4 matrices."""


def matvec_tile(form: Literal["int8", "binary16"], tensor: TensorEntry) -> Tile:
    """Return the kernel for one token at a time.

    The fewer rows, the fewer a workgroup takes, so that there are workgroups for every core of a large
    device; but its threads share a row's blocks, so that a matrix of few columns gains nothing from that.
    Measured on an H200 and on lavapipe with benchmarks/webgpu_products.py.
    """
    rows, cols = tensor.rows, tensor.cols
    large = rows * cols >= 1 << 27 if form == "int8" else rows >= 16384
    if large or cols < 2048:
        return TILES[f"matvec_{form}"]
    if form == "int8" and rows <= 8192:
        return TILES["matvec_int8_r8"]
    return TILES[f"matvec_{form}_r16"]


def matmul_tile(form: Literal["int8", "binary16"], tensor: TensorEntry) -> Tile:
    """Return the kernel for a chunk of tokens; matrices with few rows get twice the number of workgroups."""
    narrow = form == "int8" and tensor.rows <= 8192 and tensor.cols >= 2048
    return TILES["matmul_int8_split" if narrow else f"matmul_{form}"]
