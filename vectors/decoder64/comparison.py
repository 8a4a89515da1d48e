"""Whether two files of numbers are the same except for the last bits of binary64."""

from __future__ import annotations

from io import BytesIO

import numpy as np

MAGIC = b"\x93NUMPY"
CLOSE = 2.0**-40
"""Maximum difference relative to the largest number: far below any bound, far above errors of binary64."""


def equivalent(one: bytes, other: bytes) -> bool:
    """Return whether both are binary64 arrays of one shape whose elements are close."""
    if not (one.startswith(MAGIC) and other.startswith(MAGIC)):
        return False
    a, b = (np.load(BytesIO(data), allow_pickle=False) for data in (one, other))
    if a.dtype != np.float64 or b.dtype != np.float64 or a.shape != b.shape:
        return False
    return bool(np.abs(a - b).max(initial=0) <= CLOSE * np.abs(b).max(initial=0))
