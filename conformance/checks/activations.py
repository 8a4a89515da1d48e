"""Check `activations`: vectors are rounded to binary16 exactly, to INT8 within the guard band."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..container import error_bound
from ..core.check import Failure
from ..core.runtime import Reals, Rounded, Runtime
from ..core.vectors import Vector
from ..diagnosis import recognition
from ..diagnosis.recognition import Computation, Evidence, Named, recognize
from .failure_text import failure, not_finite

NORMAL = 2.0**-14
"""Smallest normal number of binary16: a smaller result may be 0 instead."""

NEGLIGIBLE = 2.0**-100
"""A vector whose largest magnitude is below this value may be treated as a vector of zeros."""

SCALE_ERROR = 2.0**-21

AXES = ("vector", "element")


def activations(runtime: Runtime, vector: Vector, package: Path) -> Failure | None:  # noqa: ARG001 - none
    """Compare all elements, and the scales of INT8."""
    form = vector.members["format"]
    x = vector.array("input")
    rounded = runtime.activations(x, form)
    if lines := error_bound.shapes(rounded.values, x):
        return failure(vector, "wrong shape", lines)
    if form == "binary16":
        return _binary16(runtime, vector, rounded)
    return _int8(runtime, vector, x, rounded)


def _mutants(runtime: Runtime, vector: Vector, answer: Rounded) -> Named:
    form = vector.members["format"]
    x = vector.array("input")
    computation = Computation(runtime, vector, lambda mutant: [mutant.activations(x, form)])
    return recognize(Evidence(computation, [answer], recognition.rounding_distance))


def _binary16(runtime: Runtime, vector: Vector, rounded: Rounded) -> Failure | None:
    values = rounded.values
    expected = vector.array("expected")
    expected = np.where((np.abs(expected) < NORMAL) & (values == 0), 0, expected)
    exactly = np.zeros(values.shape)
    if not error_bound.outside(values, expected, exactly).any():
        return None
    x = vector.array("input")
    lines = error_bound.describe(
        values, expected, exactly, AXES, lambda index: [f"  input      {x[index]!s}"]
    )
    return failure(
        vector,
        "not rounded to the nearest binary16",
        lines,
        certain=not_finite(values),
        mutants=_mutants(runtime, vector, rounded),
    )


def _int8(runtime: Runtime, vector: Vector, x: NDArray[np.float32], rounded: Rounded) -> Failure | None:
    codes, scales = rounded.values, rounded.scales
    assert scales is not None  # noqa: S101 - runtimes return them with codes
    if lines := error_bound.shapes(scales, x[:, 0]):
        return failure(vector, "wrong shape of the scales", lines)
    zero = _taken_for_zero(x, codes, scales)
    least, greatest = (np.where(zero[:, None], 0, vector.array(member)) for member in ("least", "greatest"))
    scale = np.where(zero, 0, vector.array("scale"))
    deviations = []
    lines = []
    with np.errstate(invalid="ignore"):
        nearest = np.clip(np.rint(codes), least, greatest)
    nearest = np.where(np.isfinite(nearest), nearest, least)
    exactly = np.zeros(codes.shape)
    if error_bound.outside(codes, nearest, exactly).any():
        deviations.append("codes outside the guard band")

        def legal(index: tuple[int, ...]) -> list[str]:
            largest = np.abs(x[index[0]]).max()
            quotient = 127 * np.float64(x[index]) / largest if largest else 0.0
            return [
                f"  legal      {int(least[index])} to {int(greatest[index])}",
                f"  input      {x[index]!s}; 127·x / max|x| is {quotient:.9g}",
            ]

        lines += error_bound.describe(codes, nearest, exactly, AXES, legal)
    if error_bound.outside(scales, scale, SCALE_ERROR * scale).any():
        deviations.append("scales off by more than 2^-21")
        lines.append("  scales")
        lines += error_bound.describe(scales, scale, SCALE_ERROR * scale, AXES[:1])
    finite = not_finite(codes) or not_finite(scales)
    if not deviations:
        return None
    return failure(
        vector, ", ".join(deviations), lines, certain=finite, mutants=_mutants(runtime, vector, rounded)
    )


def _taken_for_zero(x: NDArray[np.float32], codes: Reals, scales: Reals) -> NDArray[Any]:
    """Return which vectors are negligibly small and were treated as zeros."""
    negligible = np.abs(x).max(axis=1) < NEGLIGIBLE
    return np.asarray(negligible & (scales == 0) & (codes == 0).all(axis=1))
