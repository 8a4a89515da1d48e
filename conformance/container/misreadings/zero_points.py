"""Misreadings of the zero points: `Part` → zero points (n,)."""

from collections.abc import Callable

import numpy as np

from .. import decoding
from ..decoding import Integers
from ..package import Part
from . import indices


def _change_all(change: Callable[[Integers], Integers]) -> Callable[[Part], Integers]:
    """Return a reading that changes all zero points."""
    return lambda part: change(decoding.zero_points(part))


def _change_stored(change: Callable[[Integers], Integers]) -> Callable[[Part], Integers]:
    """Return a reading that changes the zero points that are stored."""
    return lambda part: (change if part.dtype == "int4_affine" else np.positive)(decoding.zero_points(part))


def _implicit(value: int) -> Callable[[Part], Integers]:
    """Return a reading that takes this value where none are stored."""
    return lambda part: decoding.zero_points(part) + (value - 8 if part.dtype == "int4_symmetric" else 0)


def _absent_section(part: Part) -> Integers:
    """Return the bytes in the place of a section, even where there is none."""
    return part.data[part.zero_points_at :][: part.num_blocks].view(np.int8).astype(np.int64)


def _of(index: indices.Index) -> Callable[[Part], Integers]:
    return lambda part: decoding.zero_points(part)[index(part)]


ZERO_POINTS = (
    ("zero_point ignored", "LLQ-DEQ-3", _change_all(np.zeros_like)),
    ("zero_point + 1", "LLQ-DEQ-3", _change_all(lambda z: z + 1)),
    ("zero_point − 1", "LLQ-DEQ-3", _change_all(lambda z: z - 1)),
    ("zero_point with its sign flipped", "LLQ-DEQ-3", _change_all(np.negative)),
    ("zero_point taken as 8 though one is stored", "LLQ-DEQ-4", _change_stored(lambda z: np.full_like(z, 8))),
    ("zero_point read as unsigned", "LLQ-DEQ-4", _change_stored(lambda z: z & 255)),
    ("zero_point read as 4 bits", "LLQ-DEQ-4", _change_stored(lambda z: z & 15)),
    ("implicit zero_point 8 forgotten", "LLQ-DEQ-4", _implicit(0)),
    ("implicit zero_point taken as 7", "LLQ-DEQ-4", _implicit(7)),
    ("zero_point read from a section that is absent", "LLQ-DEQ-4", _absent_section),
    ("zero_point of the next block", "LLQ-PACK-5", _of(indices.following)),
    ("zero_point of the next block", "LLQ-PACK-5", _of(indices.following_clamped)),
    ("zero_point of the previous block", "LLQ-PACK-5", _of(indices.preceding)),
    ("zero_point of the previous block", "LLQ-PACK-5", _of(indices.preceding_clamped)),
    ("zero_point of the first block for all", "LLQ-PACK-5", _of(indices.first_block)),
    ("index of zero points column-major", "LLQ-PACK-5", _of(indices.column_major)),
    ("index of zero points with the blocks across rounded down", "LLQ-PACK-5", _of(indices.rounded_down)),
)
