"""What enters an INT4 matmul: binary16, or INT8 with one scale a vector (chapter Activations)."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from fractions import Fraction

GREATEST16 = 65504.0
GUARD = Fraction(1, 2**13)


def nearest32(x: float) -> float:
    """Return a finite number rounded to binary32."""
    return float(struct.unpack("<f", struct.pack("<f", x))[0])


def nearest16(x: float) -> float:
    """Return a number rounded to binary16: to nearest, ties to even, and to +-65504 above it."""
    clamped = max(-GREATEST16, min(GREATEST16, x))
    return float(struct.unpack("<e", struct.pack("<e", clamped))[0])


def steps(x: Sequence[float]) -> tuple[float, list[float]]:
    """Return the scale of a vector, and 127 x / max|x|, which is rounded to INT8."""
    greatest = max(map(abs, x))
    if greatest == 0:
        return 0.0, [0.0] * len(x)
    return greatest / 127, [127 * value / greatest for value in x]


def int8(x: Sequence[float], rounding: Callable[[float], int] = round) -> tuple[float, list[int]]:
    """Return s and q; Python's round is to nearest, ties to even."""
    s, exact = steps(x)
    return s, [max(-127, min(127, rounding(value))) for value in exact]


def legal_codes(x: Sequence[float]) -> list[tuple[int, int]]:
    """Return the smallest and the largest code of each element that ACT-4 and ACT-5 allow, exactly."""
    greatest = max(abs(Fraction(value)) for value in x)
    if greatest == 0:
        return [(0, 0)] * len(x)
    exact = [127 * Fraction(value) / greatest for value in x]
    reach = Fraction(1, 2) + GUARD
    return [(max(-127, math.ceil(t - reach)), min(127, math.floor(t + reach))) for t in exact]


def exact_scale(x: Sequence[float]) -> float:
    """Return max|x| / 127, rounded once."""
    return float(max(abs(Fraction(value)) for value in x) / 127)
