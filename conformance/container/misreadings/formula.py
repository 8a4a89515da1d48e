"""Misreadings of the formula: (codes, scales, zero points) → weights (n, 64, 64)."""

import numpy as np

from ..decoding import Integers, Reals, weigh


def _difference(q: Integers, zero_point: Integers) -> Integers:
    return q - zero_point[:, None, None]


def _real_units(q: Integers, scale: Reals, zero_point: Integers) -> Reals:
    return scale[:, None, None] * q - zero_point[:, None, None]


def _added(q: Integers, scale: Reals, zero_point: Integers) -> Reals:
    return scale[:, None, None] * q + zero_point[:, None, None]


def _wrapped(q: Integers, scale: Reals, zero_point: Integers) -> Reals:
    return weigh(_difference(q, zero_point).astype(np.int8).astype(np.int64), scale, 0 * zero_point)


def _saturated(q: Integers, scale: Reals, zero_point: Integers) -> Reals:
    return weigh(np.clip(_difference(q, zero_point), -128, 127), scale, 0 * zero_point)


def _negated(q: Integers, scale: Reals, zero_point: Integers) -> Reals:
    return -weigh(q, scale, zero_point)


def _divided(q: Integers, scale: Reals, zero_point: Integers) -> Reals:
    return weigh(q, 1 / scale, zero_point)


def _signed_codes(q: Integers, scale: Reals, zero_point: Integers) -> Reals:
    return weigh((q ^ 8) - 8, scale, zero_point)


def _rounded(q: Integers, scale: Reals, zero_point: Integers) -> Reals:
    return weigh(q, scale, zero_point).astype(np.float16).astype(np.float64)


FORMULA = (
    ("zero_point in the units of weights", "LLQ-DEQ-3", _real_units),
    ("zero_point in the units of weights, and added", "LLQ-DEQ-3", _added),
    ("zero_point − q", "LLQ-DEQ-3", _negated),
    ("division by the scale", "LLQ-DEQ-3", _divided),
    ("codes read as signed 4-bit integers", "LLQ-DEQ-3", _signed_codes),
    ("q − zero_point wrapped to 8 bits", "LLQ-DEQ-3", _wrapped),
    ("q − zero_point saturated to 8 bits", "LLQ-DEQ-3", _saturated),
    ("weights rounded to binary16", "LLQ-DEQ-5", _rounded),
)
