"""A package as the suite itself reads it, so that it can explain what a runtime made of the bytes.

This reads conforming packages only and shares no code with any runtime.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK = 64


def ceil_div(a: int, b: int) -> int:
    """Return a / b, rounded up."""
    return -(-a // b)


def align(n: int) -> int:
    """Return n, rounded up to a multiple of 256."""
    return 256 * ceil_div(n, 256)


@dataclass(frozen=True)
class Part:
    """A range of rows of one tensor, with its bytes as stored in the shard, including padding."""

    dtype: str
    rows: int
    cols: int
    data: NDArray[np.uint8]

    @property
    def grid(self) -> tuple[int, int]:
        """Return the number of blocks down and across."""
        return ceil_div(self.rows, BLOCK), ceil_div(self.cols, BLOCK)

    @property
    def num_blocks(self) -> int:
        """Return the number of blocks."""
        grid_rows, grid_cols = self.grid
        return grid_rows * grid_cols

    @property
    def zero_points_at(self) -> int:
        """Return where the zero_point section begins; in a symmetric part packed begins there."""
        return 256 + align(2 * self.num_blocks)

    @property
    def packed_at(self) -> int:
        """Return where the packed section begins."""
        return self.zero_points_at + (align(self.num_blocks) if self.dtype == "int4_affine" else 0)

    @cached_property
    def packed(self) -> NDArray[np.uint8]:
        """Return the packed section, (num_blocks, 2048)."""
        begin = self.packed_at
        return self.data[begin : begin + 2048 * self.num_blocks].reshape(self.num_blocks, 2048)


@dataclass(frozen=True)
class Tensor:
    """A tensor of a package, as stored."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    parts: tuple[Part, ...]

    @property
    def quantized(self) -> bool:
        """Whether the tensor consists of blocks."""
        return self.dtype.startswith("int4")


def metadata(package: Path) -> Any:
    """Return the metadata of a package."""
    return json.loads((package / "metadata.json").read_text(encoding="utf-8"))


def tensor_names(package: Path) -> list[str]:
    """Return the names of a package's tensors."""
    return [tensor["name"] for tensor in metadata(package)["tensors"]]


def eos_token_ids(package: Path) -> list[int]:
    """Return the tokens that end an answer; none without a tokenizer."""
    tokenizer = metadata(package).get("tokenizer")
    return list(tokenizer["eos_token_ids"]) if tokenizer else []


def context_length(package: Path) -> int:
    """Return the number of positions of the context of a model."""
    return int(metadata(package)["model"]["context_length"])


def read_tensor(package: Path, name: str) -> Tensor:
    """Return the stored tensor of this name."""
    index = metadata(package)
    entry = next(tensor for tensor in index["tensors"] if tensor["name"] == name)
    cols = entry["shape"][1] if len(entry["shape"]) == 2 else 1
    parts = []
    for part in entry["parts"]:
        shard = package / index["shards"][part["shard"]]["file"]
        data = np.fromfile(shard, np.uint8, part["byte_length"], offset=part["offset"])
        parts.append(Part(entry["dtype"], part["num_rows"], cols, data))
    return Tensor(name, entry["dtype"], tuple(entry["shape"]), tuple(parts))
