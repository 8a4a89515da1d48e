"""The bytes of a shard: preamble and parts (chapter Shards and records)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from vectors.kit.placement import PREAMBLE

if TYPE_CHECKING:
    from vectors.kit.placement import Run

MAGIC = bytes.fromhex("894C4C510D0A1A0A")


def preamble(index: int, count: int, byte_length: int) -> bytes:
    """Return the first 256 bytes of a shard."""
    return struct.pack("<8sHHIIIQ224x", MAGIC, 1, 0, index, count, 0, byte_length)


def spans(runs: list[Run]) -> list[tuple[int, int]]:
    """Return offset and byte length of each part of a shard."""
    position, result = PREAMBLE, []
    for run in runs:
        position += run.gap
        length = run.tensor.length(run.num_rows)
        result.append((position, length))
        position += length
    return result


def render(runs: list[Run], index: int, count: int, byte_length: int = 0) -> bytearray:
    """Return a shard that ends where its last part ends, or at byte_length."""
    data = bytearray(PREAMBLE)
    for run, (offset, _) in zip(runs, spans(runs), strict=True):
        data += bytes(run.gap) + run.tensor.part(run.first_row, run.num_rows, offset)
    data = data.ljust(byte_length, b"\0")
    data[:PREAMBLE] = preamble(index, count, len(data))
    return data
