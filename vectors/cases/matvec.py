"""Matvec: an INT4 matrix times vectors that are rounded first."""

from __future__ import annotations

from vectors.cases.activations import noisy
from vectors.kit.activation import int8
from vectors.kit.computed import computed
from vectors.kit.noise import noise
from vectors.kit.recipe import Formula, Recipe
from vectors.kit.recipe_matvec import RecipeMatvec
from vectors.kit.rounding import Matvec
from vectors.kit.tensor import Int4

FORMATS = {"binary16": "binary16", "int8": "int8"}


def weight(
    rows: int, cols: int, zero_points: tuple[int, ...] | None = (3, 7, 8, 12), exponent: int = 8
) -> Int4:
    """Return a matrix without pattern; scales begin at 2^(exponent - 15)."""
    return Int4(
        "weight",
        (rows, cols),
        code=lambda r, c: noise(rows, r * cols + c) >> 9 & 15,
        scale=lambda i, j: (exponent << 10) + (noise(cols, 100 * i + j) & 0x3FF),
        zero_point=None if zero_points is None else lambda i, j: zero_points[(i + 3 * j) % len(zero_points)],
    )


@computed("matvec", "LLQ-NUM-3", "LLQ-ACT-1", "LLQ-ACT-2", "LLQ-ACT-8", cases=FORMATS)
def matvec_blocks(format_: str) -> Matvec:
    """A matrix of 2 x 3 blocks that are not full, its inputs {}; no INT8 code is in a guard band."""
    return Matvec(format_, weight(70, 130), [noisy(seed, 130) for seed in (1, 2, 3)])


@computed("matvec", "LLQ-NUM-3", cases=FORMATS)
def matvec_symmetric(format_: str) -> Matvec:
    """An int4_symmetric matrix, inputs {}; no INT8 input is in a guard band."""
    return Matvec(format_, weight(33, 96, None), [noisy(seed, 96) for seed in (4, 5)])


@computed("matvec", "LLQ-NUM-3", "LLQ-ACT-7", "LLQ-DEQ-4", cases=FORMATS)
def matvec_far_zero_points(format_: str) -> Matvec:
    """zero_points from -128 to 127: code minus zero_point does not fit in 8 bits; inputs {}."""
    return Matvec(format_, weight(9, 330, (-128, 127, -1, 16, 0)), [noisy(seed, 330) for seed in (6, 8)])


@computed("matvec", "LLQ-NUM-3", "LLQ-ACT-8", cases=FORMATS)
def matvec_long_rows(format_: str) -> Matvec:
    """Rows of 1000 elements whose products are all positive, inputs {}: binary16 sums would stall."""
    inputs = [[0.5 + value / 2 for value in noisy(seed, 1000)] for seed in (12, 14)]
    return Matvec(format_, weight(4, 1000, (-1, -3)), inputs)


@computed("matvec", "LLQ-NUM-3", "LLQ-ACT-8", "LLQ-NUM-1", cases=FORMATS)
def matvec_great_sums(format_: str) -> Matvec:
    """Sums far outside binary16, inputs {}: accumulated in binary16 they would be infinite."""
    return Matvec(format_, weight(5, 128, (0, 15), 22), [noisy(seed, 128, 60000) for seed in (13, 16)])


@computed("matvec", "LLQ-ACT-3", "LLQ-ACT-4", "LLQ-ACT-6", "LLQ-NUM-3", cases=FORMATS)
def matvec_of_different_size(format_: str) -> Matvec:
    """Several vectors at once ({}), of very different magnitudes, one of them zero."""
    sizes = (1e-3, 1, 0, 1e4, 10)
    return Matvec(format_, weight(6, 72), [noisy(60 + index, 72, size) for index, size in enumerate(sizes)])


@computed("matvec", "LLQ-ACT-1", "LLQ-NUM-3")
def matvec_clamped() -> Matvec:
    """Inputs outside the range of binary16: they MUST count as 65504."""
    return Matvec("binary16", weight(6, 40), [noisy(17, 40, 3e5), noisy(18, 40, 1e30)])


@computed("matvec", "LLQ-ACT-1", "LLQ-NUM-3")
def matvec_small() -> Matvec:
    """Inputs that include subnormals of binary16; a runtime may flush them."""
    return Matvec("binary16", weight(6, 40), [noisy(19, 40, 2.0**-13), noisy(20, 40, 2.0**-20)])


@computed("matvec", "LLQ-ACT-7", "LLQ-NUM-3")
def matvec_cancelling() -> Matvec:
    """Blocks whose dot products with the INT8 codes are 0: the results MUST be 0 too.

    The inputs' codes are unique, and contain enough of 1 and -1 for every row to be brought to 0.
    """
    rows, cols = 12, 64
    x = [*noisy(21, 40), *[(127.4 if index % 2 else -126.6) / 12700 for index in range(24)]]
    _, q = int8(x)
    codes = [[noise(22, r * cols + c) & 15 for c in range(cols)] for r in range(rows)]
    for row in codes:
        for c in sorted(range(cols), key=lambda c: -abs(q[c])):
            residue = sum((code - 7) * value for code, value in zip(row, q, strict=True))
            if q[c] != 0:
                row[c] = max(0, min(15, row[c] - round(residue / q[c])))
        if sum((code - 7) * value for code, value in zip(row, q, strict=True)):
            raise ValueError("a row is not 0")
    tensor = Int4("weight", (rows, cols), lambda r, c: codes[r][c], lambda _i, _j: 0x2E66, lambda _i, _j: 7)
    return Matvec("int8", tensor, [x])


SHAPES = {"1 x 1": (1, 1), "65 x 1": (65, 1), "1 x 64": (1, 64), "129 x 65": (129, 65)}


@computed("matvec", "LLQ-NUM-3", cases=SHAPES)
def matvec_shape_int8(shape: tuple[int, int]) -> Matvec:
    """A matrix of {}; inputs INT8, none in a guard band."""
    return Matvec("int8", weight(*shape), [noisy(shape[1] + 31, shape[1]), noisy(shape[1] + 33, shape[1])])


@computed("matvec", "LLQ-NUM-3", cases=SHAPES)
def matvec_shape_binary16(shape: tuple[int, int]) -> Matvec:
    """A matrix of {}, inputs binary16."""
    return Matvec(
        "binary16", weight(*shape), [noisy(shape[1] + 31, shape[1]), noisy(shape[1] + 33, shape[1])]
    )


@computed("matvec", "LLQ-NUM-3")
def matvec_very_long_rows_binary16() -> RecipeMatvec:
    """Rows of 16450 elements, which are 258 blocks; inputs binary16, all of them integers."""
    return very_long_rows("binary16")  # the bound of a sum of this length exceeds the error of binary16 sums


@computed("matvec", "LLQ-NUM-3", "LLQ-ACT-7", "LLQ-ACT-8")
def matvec_very_long_rows_int8() -> RecipeMatvec:
    """Rows of 16450 elements, which are 258 blocks; inputs int8, all of them integers."""
    return very_long_rows("int8")


def very_long_rows(format_: str) -> RecipeMatvec:
    """Return products of rows of 16450 elements with integers."""
    cols = 16450
    formulas = {
        "code": Formula(0, 15, 71),
        "scale": Formula(0x2400, 0x3FF, 72),
        "zero_point": Formula(seed=73, choices=(5, 7, 8)),
    }
    inputs = [[float(noise(seed, c) % 255) - 127 for c in range(cols - 1)] + [127.0] for seed in (74, 75)]
    return RecipeMatvec(format_, Recipe("weight", (3, cols), formulas), inputs)


@computed("matvec", "LLQ-ACT-7", "LLQ-NUM-3")
def matvec_extreme_blocks() -> Matvec:
    """INT8 codes 127, weight codes 15 and zero_point -128: block dot products of 64 * 143 * 127, and near."""
    tensor = Int4(
        "weight",
        (4, 128),
        code=lambda r, c: 15 - (r * (noise(76, c) & 1)),
        scale=lambda _i, j: 0x2C00 + 0x123 * j,
        zero_point=lambda _i, _j: -128,
    )
    return Matvec("int8", tensor, [[1.0] * 128, [-3.0] * 128, [*[2.0] * 64, *[-2.0] * 64]])
