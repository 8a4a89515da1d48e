"""Misreadings of the place of a code within its block: `Part` → codes (n, 64, 64)."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from .. import decoding
from ..decoding import Integers
from ..package import BLOCK, Part, align

Place = Callable[[Integers, int], tuple[Integers, Integers]]
"""Where a plane p has its field of each element e: (byte of the block, shift in the byte)."""


def _planes(bits: int, place: Place) -> Callable[[Part], Integers]:
    """Return a reading of codes in which plane p holds `bits` bits of each, worth 2^(bits · p)."""

    def codes(part: Part) -> Integers:
        q = np.zeros((part.num_blocks, BLOCK * BLOCK), np.int64)
        for plane in range(4 // bits):
            byte, shift = place(np.arange(BLOCK * BLOCK), plane)
            field = (part.packed[:, byte] >> shift) & ((1 << bits) - 1)
            q += field.astype(np.int64) << (bits * plane)
        return q.reshape(-1, BLOCK, BLOCK)

    return codes


def _halves(group: int) -> Callable[[Part], Integers]:
    """Return a reading of nibbles in which, within each group, byte k holds elements k and k + group / 2."""
    half = group // 2
    return _planes(4, lambda e, _: (e // group * half + e % half, 4 * (e % group // half)))


def _transposed(part: Part) -> Integers:
    return decoding.codes(part).swapaxes(1, 2)


def _after_absent_section(part: Part) -> Integers:
    """Return codes read after a zero_point section, though the part has none; zeros follow the part."""
    if part.dtype != "int4_symmetric":
        return decoding.codes(part)
    length = align(part.num_blocks)
    kept, rest = part.data[: part.packed_at], part.data[part.packed_at + length :]
    return decoding.codes(replace(part, data=np.concatenate([kept, rest, np.zeros(length, np.uint8)])))


# fmt: off
PACKING = (
    ("nibble pairs, even column in the low nibble", "LLQ-PACK-3",
     _planes(4, lambda e, _: (e >> 1, 4 * (e & 1)))),
    ("nibble pairs, even column in the high nibble", "LLQ-PACK-3",
     _planes(4, lambda e, _: (e >> 1, 4 - 4 * (e & 1)))),
    ("split halves of a row of the block", "LLQ-PACK-3", _halves(64)),
    ("split halves within 32 elements (ggml's Q4_0)", "LLQ-PACK-3", _halves(32)),
    ("split halves of the block", "LLQ-PACK-3", _halves(4096)),
    ("four planes of one bit", "LLQ-PACK-3",
     _planes(1, lambda e, p: (512 * p + (e >> 3), e & 7))),
    ("four planes of one bit", "LLQ-PACK-3",
     _planes(1, lambda e, p: (512 * p + (e >> 3), 7 - (e & 7)))),
    ("four planes of one bit", "LLQ-PACK-3",
     _planes(1, lambda e, p: (512 * (3 - p) + (e >> 3), e & 7))),
    ("high plane first", "LLQ-PACK-3",
     _planes(2, lambda e, p: (1024 * (1 - p) + (e >> 2), 2 * (e & 3)))),
    ("both planes row by row", "LLQ-PACK-3",
     _planes(2, lambda e, p: (32 * (e >> 6) + 16 * p + (e % 64 >> 2), 2 * (e & 3)))),
    ("first element at the most significant bits of a byte", "LLQ-PACK-4",
     _planes(2, lambda e, p: (1024 * p + (e >> 2), 6 - 2 * (e & 3)))),
    ("words of a plane read big-endian", "LLQ-PACK-4",
     _planes(2, lambda e, p: (1024 * p + ((e >> 2) ^ 3), 2 * (e & 3)))),
    ("elements of a byte a quarter of the plane apart", "LLQ-PACK-4",
     _planes(2, lambda e, p: (1024 * p + (e & 1023), 2 * (e >> 10)))),
    ("packed read after a zero_point section that is absent", "LLQ-DEQ-4", _after_absent_section),
    ("rows and columns swapped inside a block", "LLQ-PACK-2", _transposed),
)
# fmt: on
