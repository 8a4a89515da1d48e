"""Misreadings of the scales: `Part` → scales (n,)."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import decoding
from ..decoding import Reals
from ..package import Part
from . import indices


def bfloat16(words: NDArray[Any]) -> Reals:
    """Return the values of 16-bit words as bfloat16."""
    return (words.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def _read(dtype: str, shift: int = 0) -> Callable[[Part], Reals]:
    """Return a reading of scales as this numpy type that begins `shift` bytes off."""

    def scales(part: Part) -> Reals:
        begin = 256 + shift
        return part.data[begin : begin + 2 * part.num_blocks].view(dtype).astype(np.float64)

    return scales


def _bfloat16_scales(part: Part) -> Reals:
    return bfloat16(part.data[256 : 256 + 2 * part.num_blocks].view("<u2"))


def _of(index: indices.Index) -> Callable[[Part], Reals]:
    return lambda part: decoding.scales(part)[index(part)]


SCALES = (
    ("scale read big-endian", "LLQ-DEQ-6", _read(">f2")),
    ("scale read as bfloat16", "LLQ-DEQ-6", _bfloat16_scales),
    ("scale of the next block", "LLQ-PACK-5", _read("<f2", 2)),
    ("scale of the next block", "LLQ-PACK-5", _of(indices.following)),
    ("scale of the next block", "LLQ-PACK-5", _of(indices.following_clamped)),
    ("scale of the previous block", "LLQ-PACK-5", _read("<f2", -2)),
    ("scale of the previous block", "LLQ-PACK-5", _of(indices.preceding)),
    ("scale of the previous block", "LLQ-PACK-5", _of(indices.preceding_clamped)),
    ("scale of the first block for all", "LLQ-PACK-5", _of(indices.first_block)),
    ("index of scales column-major", "LLQ-PACK-5", _of(indices.column_major)),
    ("index of scales with the blocks across rounded down", "LLQ-PACK-5", _of(indices.rounded_down)),
)
