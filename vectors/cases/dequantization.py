"""Valid: from code to weight, exactly."""

from __future__ import annotations

from vectors.kit.package import Package, assemble
from vectors.kit.registry import Key, valid
from vectors.kit.tensor import Int4


def ruler(*blocks: tuple[int, int], symmetric: bool = False) -> Package:
    """Return a row of blocks, given as scale bits and zero_point, in which every code occurs."""
    weight = Int4(
        "weight",
        (2, 64 * len(blocks)),
        code=lambda r, c: c % 16 if r else 15 - c % 16,
        scale=lambda _i, j: blocks[j][0],
        zero_point=None if symmetric else lambda _i, j: blocks[j][1],
    )
    return assemble([weight])


ZERO_POINTS = {str(value): value for value in (0, 1, 7, 8, 9, 15, 16, 126, 127)}
NEGATIVE = {"minus 128": -128, "minus 127": -127, "minus 1": -1}


@valid("LLQ-DEQ-3", "LLQ-DEQ-4", cases={**ZERO_POINTS, **NEGATIVE})
def zero_point(value: int) -> Package:
    """All codes under the zero_point {}: the weight MUST be scale * (q - zero_point)."""
    return ruler((0x2E66, value))


@valid("LLQ-DEQ-4")
def minus_one_beside_one() -> Package:
    """Blocks with the zero_points -1 and 1: zero_point MUST be read as signed."""
    return ruler((0x3C00, -1), (0x3C00, 1))


SCALES = {
    Key("least normal, 0400", "smallest normal, 0400"): 0x0400,
    Key("least but one, 0401", "second smallest normal, 0401"): 0x0401,
    "odd fraction, 3555": 0x3555,
    "all fraction bits, 3BFF": 0x3BFF,
    "one, 3C00": 0x3C00,
    "one and a little, 3C01": 0x3C01,
    Key("other as big endian, 2C5A", "another value if read as big-endian, 2C5A"): 0x2C5A,
    Key("other as bfloat16, 4248", "another value if read as bfloat16, 4248"): 0x4248,
    "NaN as big endian, 1A7E": 0x1A7E,
    Key("greatest legal, 6FFF", "largest legal, 6FFF"): 0x6FFF,
}


@valid("LLQ-DEQ-5", "LLQ-DEQ-6", cases=SCALES)
def scale(bits: int) -> Package:
    """All codes under one scale ({}): a weight MUST equal the exact product."""
    return ruler((bits, 8))


@valid("LLQ-DEQ-2")
def bound_exactly() -> Package:
    """The largest weight of a block is 65504, of either sign: this MUST be accepted."""
    return ruler((0x6FFF, 7), (0x6FFF, 8))


@valid("LLQ-DEQ-2", "LLQ-DEQ-3")
def bound_far_zero_points() -> Package:
    """The largest scales that the zero_points -128 and 127 allow."""
    return ruler((0x5F28, -128), (0x6007, 127))


@valid("LLQ-DEQ-3", "LLQ-DEQ-4", "LLQ-DEQ-5")
def dequantization_examples() -> Package:
    """The blocks of the table of chapter Dequantization."""
    return ruler((0x3C00, 8), (0x2E66, -128), (0x0400, 7), (0x5FF4, 127), (0x3800, -3))


@valid("LLQ-DEQ-4")
def symmetric() -> Package:
    """Three symmetric blocks: zero_point MUST be read as 8 in each."""
    return ruler((0x3C00, 8), (0x0400, 8), (0x6FFF, 8), symmetric=True)


@valid("LLQ-DEQ-5")
def zero_is_positive() -> Package:
    """Every code equals its zero_point: a decoded zero MUST be +0."""
    weight = Int4("weight", (3, 130), lambda _r, c: c // 64 + 5, zero_point=lambda _i, j: j + 5)
    return assemble([weight])
