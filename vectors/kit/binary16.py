"""IEEE 754 binary16, one value at a time and exactly."""

from __future__ import annotations

from fractions import Fraction


def value(bits: int) -> Fraction:
    """Return the finite number that 16 bits represent; the sign of zero is lost."""
    sign = -1 if bits >> 15 else 1
    exponent = bits >> 10 & 0x1F
    fraction = bits & 0x3FF
    if exponent == 0x1F:
        raise ValueError(f"{bits:04X} is not finite")
    if exponent == 0:
        return sign * Fraction(fraction, 2**24)
    return sign * Fraction(1024 + fraction) * Fraction(2) ** (exponent - 25)
