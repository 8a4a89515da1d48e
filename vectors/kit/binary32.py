"""IEEE 754 binary32, one value at a time and exactly."""

from __future__ import annotations

from fractions import Fraction

from vectors.kit import binary16


def exactly(value: Fraction) -> int:
    """Return the bits of the binary32 that equals a number; zero is +0."""
    if value == 0:
        return 0
    sign = 1 << 31 if value < 0 else 0
    value = abs(value)
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    if Fraction(2) ** exponent > value:
        exponent -= 1
    exponent = max(exponent, -126)  # below it are the subnormals
    significand = value / Fraction(2) ** (exponent - 23)
    if significand.denominator != 1 or exponent > 127:
        raise ValueError(f"{value} is not a binary32 number")
    if significand < 2**23:
        return sign | significand.numerator
    return sign | exponent + 127 << 23 | significand.numerator - 2**23


def widened(bits: int) -> int:
    """Return the binary32 bits of a binary16, the sign of zero kept."""
    return exactly(binary16.value(bits)) | bits >> 15 << 31
