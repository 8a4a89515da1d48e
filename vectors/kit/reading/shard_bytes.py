"""Stages `shards` to `payload`: the bytes of shards. All rules of stages up to `files` hold."""

from __future__ import annotations

import struct
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from vectors.kit import binary16
from vectors.kit.reading.index import MATRIX, blocks, rows_cols
from vectors.kit.tensor import align

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Json = Any


def rules(metadata: Json, files: Mapping[str, bytes]) -> Iterator[str]:
    """Yield the violations of all three stages."""
    shards = metadata["shards"]
    for index, entry in enumerate(shards):
        yield from _preamble(files[entry["file"]], index, len(shards), entry["byte_length"])
    for entry in [
        *shards,
        *(metadata[name] for name in ("tokenizer", "module", "program") if name in metadata),
    ]:
        if sha256(files[entry["file"]]).hexdigest() != entry["sha256"]:
            yield "HASH-2"
    for tensor in metadata["tensors"]:
        for part in tensor["parts"]:
            shard = files[shards[part["shard"]]["file"]]
            data = shard[part["offset"] : part["offset"] + part["byte_length"]]
            if sha256(data).hexdigest() != part["sha256"]:
                yield "HASH-1"
            if tensor["dtype"] in MATRIX:
                yield from _record(tensor, part, data)
            else:
                yield from _raw(tensor, part, data, of_model="model" in metadata)


def _preamble(data: bytes, index: int, count: int, length: int) -> Iterator[str]:
    magic, major, minor, own_index, own_count, gap, own_length = struct.unpack_from("<8sHHIIIQ", data)
    if magic != b"\x89LLQ\r\n\x1a\n":
        yield "SHARD-2"
    if (major, minor) != (1, 0):
        yield "SHARD-3"
    if (own_index, own_count) != (index, count):
        yield "SHARD-4"
    if own_length != length:
        yield "SHARD-5"
    if gap or any(data[32:256]):
        yield "SHARD-6"


def _record(tensor: Json, part: Json, data: bytes) -> Iterator[str]:
    rows, cols = part["num_rows"], rows_cols(tensor)[1]
    n = blocks(rows, cols)
    block_rows, block_cols, num_blocks, offset = struct.unpack_from("<4I", data)
    if (block_rows, block_cols) != (64, 64):
        yield "REC-1"
    if num_blocks != n:
        yield "REC-2"
    if offset != part["offset"] + 256:
        yield "REC-3"
    if any(data[16:256]):
        yield "REC-4"
    zero_point = 256 + align(2 * n)
    packed = zero_point + (align(n) if tensor["dtype"] == "int4_affine" else 0)
    zeros = list(struct.unpack_from(f"<{n}b", data, zero_point)) if packed > zero_point else [8] * n
    if any(data[256 + 2 * n : zero_point]) or any(
        data[zero_point + n : packed] if packed > zero_point else b""
    ):
        yield "REC-5"
    for bits, zero in zip(struct.unpack_from(f"<{n}H", data, 256), zeros, strict=True):
        if not 0x0400 <= bits <= 0x7BFF:
            yield "DEQ-1"
        elif binary16.value(bits) * max(abs(zero), abs(15 - zero)) > 65504:
            yield "DEQ-2"
    if _has_codes_outside(data[packed:], rows, cols):
        yield "PACK-1"


def _has_codes_outside(packed: bytes, rows: int, cols: int) -> bool:
    """Whether a code of an element outside the matrix is not 0; bytes inside, most of them, are skipped."""
    across = -(-cols // 64)
    for block in range(blocks(rows, cols)):
        bottom, right = rows - 64 * (block // across), cols - 64 * (block % across)
        if bottom >= 64 and right >= 64:
            continue
        for plane in (2048 * block, 2048 * block + 1024):
            for row in range(64):
                line = packed[plane + 16 * row : plane + 16 * row + 16]
                inside = 0 if row >= bottom else min(64, right)
                if int.from_bytes(line, "little") >> (2 * inside):
                    return True
    return False


def _raw(tensor: Json, part: Json, data: bytes, *, of_model: bool) -> Iterator[str]:
    count = part["num_rows"] * rows_cols(tensor)[1]
    size, letter, exponent = (2, "H", 0x7C00) if tensor["dtype"] == "f16" else (4, "I", 0x7F800000)
    if any(data[size * count :]):
        yield "RAW-1"
    words = struct.unpack_from(f"<{count}{letter}", data)
    if any(word & exponent == exponent for word in words):
        yield "RAW-2"
    if of_model and tensor["name"] == "rope.inv_freq":
        values = struct.unpack_from(f"<{count}f", data)
        if not all(0 < value <= 1 for value in values):
            yield "MODEL-6"
