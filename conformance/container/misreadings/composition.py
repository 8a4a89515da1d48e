"""Two misreadings of one step: what the first reads is stored as it should be, and read by the second."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..package import Part

COMPOSABLE = ("codes", "scales", "zero_points")
"""The steps whose results can be stored in a part again."""


def composed(step: str, first: Callable[[Part], Any], second: Callable[[Part], Any]) -> Callable[[Part], Any]:
    """Return the composition of two readings of a step; it raises ValueError for what cannot be stored."""
    return lambda part: second(_stored(part, step, first(part)))


def _stored(part: Part, step: str, values: NDArray[Any]) -> Part:
    """Return the part with other codes, scales or zero points."""
    data = part.data.copy()
    match step:
        case "codes":
            section, begin = _planes(values), part.packed_at
        case "scales":
            with np.errstate(over="ignore", invalid="ignore"):
                narrow = values.astype("<f2")
            if not np.array_equal(narrow.astype(np.float64), values):
                raise ValueError("a scale that binary16 does not have")
            section, begin = narrow.view(np.uint8), 256
        case _:
            if part.dtype == "int4_symmetric" or not ((values >= -128) & (values <= 127)).all():
                raise ValueError("a zero point that no section holds")
            section, begin = values.astype(np.int8).view(np.uint8), part.zero_points_at
    data[begin : begin + section.size] = section
    return replace(part, data=data)


def _planes(codes: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the packed section of codes, [n, 64, 64]: two planes of two bits, low plane first."""
    if not ((codes >= 0) & (codes <= 15)).all():
        raise ValueError("a code that four bits do not hold")
    fields = codes.astype(np.uint8).reshape(len(codes), 1, 1024, 4)
    planes = np.concatenate([fields & 3, fields >> 2], axis=1)
    return np.asarray((planes << np.array([0, 2, 4, 6], np.uint8)).sum(axis=-1, dtype=np.uint8).ravel())
