"""The tensors of a package, from its bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
BLOCK = 64


@dataclass(frozen=True)
class Blocks:
    """An INT4 matrix: codes [rows, cols], and scale and zero_point of each block, [down, across]."""

    codes: Array
    scales: Array
    zero_points: Array

    def spread(self, of_blocks: Array) -> Array:
        """Return a value of each block as a value of each element, [rows, cols]."""
        rows, cols = self.codes.shape
        return of_blocks.repeat(BLOCK, axis=0)[:rows].repeat(BLOCK, axis=1)[:, :cols]

    @property
    def differences(self) -> Array:
        """Code less zero_point of each element, [rows, cols]."""
        return self.codes - self.spread(self.zero_points)


@dataclass(frozen=True)
class Contents:
    """The model of a package; its raw tensors in their shapes, and its INT4 matrices."""

    model: dict[str, Any]
    raw: dict[str, Array]
    blocks: dict[str, Blocks]


def read(files: Mapping[str, bytes]) -> Contents:
    """Return what a package contains, given its files by name."""
    metadata = json.loads(files["metadata.json"])
    shards = [files[entry["file"]] for entry in metadata["shards"]]
    contents = Contents(metadata["model"], {}, {})
    for tensor in metadata["tensors"]:
        parts = [
            (part["num_rows"], shards[part["shard"]][part["offset"] : part["offset"] + part["byte_length"]])
            for part in tensor["parts"]
        ]
        name, dtype, shape = tensor["name"], tensor["dtype"], tensor["shape"]
        if dtype in {"f16", "f32"}:
            width = math.prod(shape[1:])
            flat = [np.frombuffer(data, f"<{dtype[0]}{int(dtype[1:]) // 8}", n * width) for n, data in parts]
            contents.raw[name] = np.concatenate(flat).astype(np.float64).reshape(shape)
        else:
            read_parts = [blocks(data, n, shape[1], affine=dtype == "int4_affine") for n, data in parts]
            joined = (np.concatenate(of_parts) for of_parts in zip(*read_parts, strict=True))
            contents.blocks[name] = Blocks(*joined)
    return contents


def blocks(data: bytes, rows: int, cols: int, *, affine: bool) -> tuple[Array, Array, Array]:
    """Return codes [rows, cols], scales and zero points [down, across] of a record."""
    down, across = -(-rows // BLOCK), -(-cols // BLOCK)
    count = down * across
    at = 256
    scales = np.frombuffer(data, "<f2", count, at).astype(np.float64).reshape(down, across)
    at += -(-2 * count // 256) * 256
    zero_points = np.full((down, across), 8.0)
    if affine:
        zero_points = np.frombuffer(data, "i1", count, at).astype(np.float64).reshape(down, across)
        at += -(-count // 256) * 256
    planes = np.frombuffer(data, np.uint8, 2048 * count, at).reshape(count, 2, 1024, 1)
    pairs = planes >> np.array([0, 2, 4, 6], np.uint8) & 3  # [count, 2, 1024, 4]
    elements = (pairs[:, 0] + 4 * pairs[:, 1]).reshape(down, across, BLOCK, BLOCK)
    codes = elements.swapaxes(1, 2).reshape(down * BLOCK, across * BLOCK)[:rows, :cols]
    return codes.astype(np.float64), scales, zero_points
