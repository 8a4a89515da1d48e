"""How checkpoints store numbers: floats of 16 and 32 bits, and two of ggml's formats of blocks of 32."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

GGML_BLOCK = 32


def bfloat16(value: float) -> int:
    """Return the bits of the bfloat16 nearest to a number; a NaN keeps its upper half."""
    bits: int = struct.unpack("<I", struct.pack("<f", value))[0]
    if bits & 0x7F800000 == 0x7F800000:
        return bits >> 16
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16


def floats(letter: str, values: Sequence[float]) -> tuple[bytes, list[float]]:
    """Store values in a format of the struct module."""
    data = struct.pack(f"<{len(values)}{letter}", *values)
    return data, list(struct.unpack(f"<{len(values)}{letter}", data))


def bf16(values: Sequence[float]) -> tuple[bytes, list[float]]:
    """Store values as bfloat16."""
    bits = [bfloat16(value) for value in values]
    wide = struct.pack(f"<{len(bits)}I", *(value << 16 for value in bits))
    return struct.pack(f"<{len(bits)}H", *bits), list(struct.unpack(f"<{len(bits)}f", wide))


def binary16(value: float) -> float:
    """Return the binary16 nearest to a number."""
    nearest: float = struct.unpack("<e", struct.pack("<e", value))[0]
    return nearest


def q8_0(block: Sequence[float]) -> tuple[bytes, list[float]]:
    """Store 32 values as ggml's Q8_0: a binary16 d, then 32 signed bytes q; a value is d * q."""
    d = binary16(max(map(abs, block)) / 127)
    q = [max(-127, min(127, round(value / d))) if d else 0 for value in block]
    return struct.pack("<e32b", d, *q), [d * code for code in q]


def q4_1(block: Sequence[float]) -> tuple[bytes, list[float]]:
    """Store 32 values as ggml's Q4_1: d and m, then nibbles q, the first 16 low; a value is d * q + m."""
    m = binary16(min(block))
    d = binary16((max(block) - m) / 15)
    q = [max(0, min(15, round((value - m) / d))) if d else 0 for value in block]
    data = bytes(q[i] | q[i + 16] << 4 for i in range(16))
    return struct.pack("<ee", d, m) + data, [d * code + m for code in q]


def in_blocks(
    store: Callable[[Sequence[float]], tuple[bytes, list[float]]], values: Sequence[float]
) -> tuple[bytes, list[float]]:
    """Store values block by block."""
    pairs = [store(values[at : at + GGML_BLOCK]) for at in range(0, len(values), GGML_BLOCK)]
    return b"".join(data for data, _ in pairs), [value for _, stored in pairs for value in stored]


FORMATS: dict[str, Callable[[Sequence[float]], tuple[bytes, list[float]]]] = {
    "F32": lambda values: floats("f", values),
    "F16": lambda values: floats("e", values),
    "BF16": bf16,
    "Q8_0": lambda values: in_blocks(q8_0, values),
    "Q4_1": lambda values: in_blocks(q4_1, values),
}
"""From values to bytes, and to the values that the bytes represent."""


@dataclass(frozen=True)
class Stored:
    """A tensor as a file holds it: the bytes of each row, and the values that they represent."""

    dtype: str
    shape: tuple[int, ...]
    rows: list[bytes]
    values: list[list[float]]

    @property
    def data(self) -> bytes:
        """Return all bytes."""
        return b"".join(self.rows)


def stored(dtype: str, shape: tuple[int, ...], values: Sequence[Sequence[float]]) -> Stored:
    """Store the rows of a tensor of one or two dimensions; one of one dimension is one row."""
    pairs = [FORMATS[dtype](row) for row in values]
    return Stored(dtype, shape, [data for data, _ in pairs], [row for _, row in pairs])
