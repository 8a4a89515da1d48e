"""The bytes of shards from the metadata of a package and the formulas of its tensors."""

import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .generator import Integers, elements

BLOCK = 64
PREAMBLE = struct.Struct("<8sHHIIIQ224x")
MAGIC = bytes.fromhex("894C4C510D0A1A0A")

Json = Mapping[str, Any]


def shard_bytes(metadata: Json, tensors: Json) -> list[bytearray]:
    """Return the shards, in order. metadata: `metadata.json`; tensors: the formulas by name of a tensor."""
    entries = metadata["shards"]
    shards = [bytearray(entry["byte_length"]) for entry in entries]
    for index, shard in enumerate(shards):
        shard[:256] = PREAMBLE.pack(MAGIC, 1, 0, index, len(entries), 0, len(shard))
    for tensor in metadata["tensors"]:
        write = _write_raw if tensor["dtype"] in ("f16", "f32") else _write_int4
        write(shards, tensor, tensors[tensor["name"]])
    return shards


def _write_raw(shards: list[bytearray], tensor: Json, formulas: Json) -> None:
    """Write the parts of a raw tensor."""
    values = elements(formulas["bits"], math.prod(tensor["shape"]))
    width = math.prod(tensor["shape"][1:])
    for part in tensor["parts"]:
        first = part["first_row"] * width
        data = values[first : first + part["num_rows"] * width]
        _put(shards, part, 0, data.astype("<u2" if tensor["dtype"] == "f16" else "<u4"))


def _write_int4(shards: list[bytearray], tensor: Json, formulas: Json) -> None:
    """Write the parts of an INT4 matrix: header, scale, zero_point and packed."""
    rows, cols = tensor["shape"]
    down, across = -(-rows // BLOCK), -(-cols // BLOCK)
    codes = np.zeros((down * BLOCK, across * BLOCK), np.uint8)
    codes[:rows, :cols] = elements(formulas["code"], rows * cols).reshape(rows, cols)
    blocks = codes.reshape(down, BLOCK, across, BLOCK).swapaxes(1, 2).reshape(down, across, -1)
    scales = elements(formulas["scale"], down * across).reshape(down, across)
    zero_points = None
    if tensor["dtype"] == "int4_affine":
        zero_points = elements(formulas["zero_point"], down * across).reshape(down, across)
    for part in tensor["parts"]:
        first = part["first_row"] // BLOCK
        band = slice(first, first + -(-part["num_rows"] // BLOCK))
        count = blocks[band].shape[0] * across
        header = np.array([BLOCK, BLOCK, count, part["offset"] + 256], "<u4")
        at = _put(shards, part, 0, header)
        at = _put(shards, part, at, scales[band].astype("<u2"))
        if zero_points is not None:
            at = _put(shards, part, at, zero_points[band].astype("i1"))
        _put(shards, part, at, _packed(blocks[band].reshape(count, -1)))


def _packed(blocks: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return blocks of 4096 codes as 2048 bytes each: a plane of low bits and a plane of high bits."""
    planes = np.stack([blocks & 3, blocks >> 2], axis=1).reshape(len(blocks), 2, 1024, 4)
    shifted = planes << np.array([0, 2, 4, 6], np.uint8)
    return np.asarray(np.bitwise_or.reduce(shifted, axis=3), np.uint8)


def _put(shards: list[bytearray], part: Json, at: int, values: NDArray[Any] | Integers) -> int:
    """Write values at an offset of a part; return the offset of the next section."""
    data = values.tobytes()
    start = part["offset"] + at
    shards[part["shard"]][start : start + len(data)] = data
    return at + -(-len(data) // 256) * 256
