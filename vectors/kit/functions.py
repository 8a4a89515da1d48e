"""Transcendental functions made of operations that IEEE 754 fixes: every machine computes the same."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from functools import cache

LN2_HIGH = 0.693147180369123816490  # the first 32 bits: k * LN2_HIGH is exact
LN2_LOW = 1.90821492927058770002e-10
PI = Fraction("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899")
TWO_OVER_ROOT_PI = 1.1283791670955126


def exp(x: float) -> float:
    """Return e to the power of x."""
    if x < -745:
        return 0.0
    k = round(x / LN2_HIGH)
    r = x - k * LN2_HIGH - k * LN2_LOW
    total = 1.0
    for n in range(18, 0, -1):
        total = 1.0 + total * r / n
    return math.ldexp(total, k)


def sigmoid(z: float) -> float:
    """Return 1 / (1 + e^-z), which overflows for no z."""
    e = exp(-abs(z))
    return (1.0 if z >= 0 else e) / (1.0 + e)


def silu(z: float) -> float:
    """Return z / (1 + e^-z)."""
    return z * sigmoid(z)


def erf(z: float) -> float:
    """Return the error function, by a series whose terms all have the sign of z."""
    if abs(z) > 6:
        return math.copysign(1.0, z)
    term = total = z
    n = 0
    while abs(term) > 1e-18 * abs(total):
        n += 1
        term *= 2 * z * z / (2 * n + 1)
        total += term
    return TWO_OVER_ROOT_PI * exp(-z * z) * total


def gelu(z: float) -> float:
    """Return z/2 * (1 + erf(z / sqrt 2))."""
    return z / 2 * (1 + erf(z / math.sqrt(2)))


@cache
def cos_sin(angle: Fraction) -> tuple[float, float]:
    """Return cosine and sine of a real number, reduced exactly."""
    r = float(angle - 2 * PI * round(angle / (2 * PI)))
    terms = [1.0]
    for n in range(1, 40):
        terms.append(terms[-1] * r / n)
    signs = (1, 1, -1, -1)
    signed = [signs[n % 4] * term for n, term in enumerate(terms)]
    return math.fsum(signed[0::2]), math.fsum(signed[1::2])


@cache
def ln(n: int) -> float:
    """Return the natural logarithm of an integer."""
    return float(Decimal(n).ln())
