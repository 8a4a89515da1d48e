"""Activations: what enters an INT4 matmul, rounded."""

from __future__ import annotations

from vectors.kit.computed import computed
from vectors.kit.rounding import Activations
from vectors.kit.weights import between

STEP16 = 2.0**-10  # of binary16 between 1 and 2
LEAST16 = 2.0**-24
GREATEST32 = (2 - 2.0**-23) * 2.0**127
BOTH = (1, -1)


def signed(*magnitudes: float) -> list[float]:
    """Return numbers of both signs."""
    return [sign * magnitude for magnitude in magnitudes for sign in BOTH]


def noisy(seed: int, count: int, greatest: float = 1.0) -> list[float]:
    """Return numbers without pattern."""
    return [between(seed, index, -greatest, greatest) for index in range(count)]


@computed("activations", "LLQ-ACT-1")
def binary16_ties() -> Activations:
    """Numbers halfway between two binary16 values, and numbers next to them: ties MUST go to even."""
    halves = [1 + STEP16 * k / 2 for k in (1, 3, 5, 2045, 2047)]
    neighbours = [half + sign * 2.0**-23 for half in halves for sign in BOTH]
    return Activations("binary16", [signed(*halves, *neighbours, 2049, 2051, 4098, 0.1, 1 / 3)])


@computed("activations", "LLQ-ACT-1", "LLQ-NUM-1")
def binary16_limits() -> Activations:
    """Numbers outside the range of binary16: they MUST become 65504 or -65504, never infinite."""
    numbers = (65503, 65504, 65519, 65519.996, 65520, 65535, 65536, 131008, 1e6, 1e30, GREATEST32)
    return Activations("binary16", [signed(*numbers)])


@computed("activations", "LLQ-ACT-1")
def binary16_small() -> Activations:
    """Numbers near the smallest binary16 values, and below; 2^-14 itself is normal."""
    subnormal = [LEAST16 * k for k in (1, 1.5, 2.5, 3, 1000, 1023, 1023.25, 0.5, 0.5000001, 0.25)]
    normal = [LEAST16 * k for k in (1023.5, 1023.75, 1024, 1024.5, 1025.5, 2049)]
    return Activations("binary16", [signed(*subnormal, *normal, 0, 1e-30, 1e-40)])


@computed("activations", "LLQ-ACT-1")
def binary16_without_pattern() -> Activations:
    """Vectors of very different magnitudes: each element MUST be rounded independently."""
    return Activations("binary16", [noisy(size, 70, 10.0**size) for size in (-3, 0, 2, 5)])


@computed("activations", "LLQ-ACT-2", "LLQ-ACT-5")
def int8_examples() -> Activations:
    """The examples of chapter Activations, filled up with zeros; their ties are in the guard band."""
    return Activations("int8", [[127, -63.5, 0.5, 1.5], [0, 0, 0, 0], [-2, 1, 0, 0]])


@computed("activations", "LLQ-ACT-2", "LLQ-ACT-5")
def int8_boundaries() -> Activations:
    """Elements just inside and just outside the guard band of rounding boundaries."""
    offsets = (
        0,
        2.0**-15,
        2.0**-14,
        0.99 * 2.0**-13,
        2.0**-13,
        1.01 * 2.0**-13,
        2.0**-12,
        2.0**-8,
        0.25,
        0.49,
    )
    codes = (0.5, 1.5, 2.5, 62.5, 99.5, 126.5)
    around = [code + sign * offset for code in codes for offset in offsets for sign in BOTH]
    row = [127.0, *signed(*around)]
    return Activations("int8", [row, [value / 1024 for value in row], [-value for value in row]])


@computed("activations", "LLQ-ACT-2", "LLQ-ACT-5", "LLQ-ACT-6")
def int8_without_pattern() -> Activations:
    """Vectors without pattern; in some, the element of maximum magnitude is negative."""
    return Activations("int8", [noisy(seed, 200) for seed in range(6)])


@computed("activations", "LLQ-ACT-3", "LLQ-ACT-6")
def int8_vectors_of_different_size() -> Activations:
    """Vectors of very different magnitudes: each MUST have its own scale; some are outside binary16."""
    return Activations("int8", [noisy(size, 66, 10.0**size) for size in (-9, -3, 0, 3, 9, -6)])


@computed("activations", "LLQ-ACT-2")
def int8_greatest_is_negative() -> Activations:
    """The element of maximum magnitude is negative, and MUST become -127."""
    return Activations("int8", [[-4, 1, 2, 3], [-1, 0, 0, 0.25], [-3, -2, -1, -0.5]])


@computed("activations", "LLQ-ACT-2", "LLQ-ACT-5")
def int8_all_at_the_greatest() -> Activations:
    """Elements at the maximum magnitude, and next to it: codes MUST NOT be 128 or -128."""
    below = 1 - 2.0**-24
    return Activations("int8", [[1, -1, below, -below], [-0.1, 0.1, -0.1, -0.1], [7, 7, 7, 7]])


@computed("activations", "LLQ-ACT-4", "LLQ-NUM-1")
def int8_zeros() -> Activations:
    """Vectors of zeros between other vectors: q and s MUST be 0, and never NaN."""
    zeros = [0.0] * 65
    return Activations("int8", [zeros, noisy(3, 65), zeros, [-0.0] * 65, noisy(4, 65)])


@computed("activations", "LLQ-ACT-2", "LLQ-ACT-6", "LLQ-NUM-1")
def int8_extremes() -> Activations:
    """The largest binary32, 2^-99, and elements that become 0 next to a far larger maximum."""
    great = [GREATEST32, -GREATEST32 / 2, GREATEST32 / 200, GREATEST32 / 3]
    small = [2.0**-99, -(2.0**-100), 2.0**-104, 2.0**-101 * 1.3]
    return Activations("int8", [great, small, [1, 1e-30, -1e-40, 2.0**-149]])


@computed("activations", "LLQ-ACT-2", cases={"1": 1, "64": 64, "65": 65, "257": 257})
def int8_length(count: int) -> Activations:
    """Vectors of {} elements."""
    return Activations("int8", [noisy(count + seed, count) for seed in range(3)])
