"""Computed numbers outside their error bounds: how many, the first, and the worst relative to its bound."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..core.runtime import Reals

Index = tuple[int, ...]
Bound = Reals | np.float64
"""For each element, or for all."""

Note = Callable[[Index], list[str]]
"""Further lines about an element."""


def outside(actual: Reals, expected: Reals, bound: Bound) -> NDArray[np.bool_]:
    """Return which elements are outside their error bounds; NaN and infinity always are."""
    return np.asarray(~(_error(actual, expected) <= bound))


def shapes(actual: Reals, expected: Reals) -> list[str]:
    """Return the lines that describe a different shape; none if the shapes are equal."""
    if actual.shape == expected.shape:
        return []
    return [f"  expected   the shape {list(expected.shape)}", f"  got        the shape {list(actual.shape)}"]


def describe(
    actual: Reals, expected: Reals, bound: Bound, axes: Sequence[str], note: Note = lambda _: []
) -> list[str]:
    """Return the lines that describe the elements outside their bounds; `axes` names the indices."""
    outliers = outside(actual, expected, bound)
    error, bounds = _error(actual, expected), np.broadcast_to(np.float64(1) * bound, actual.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(outliers, error / bounds, -1.0)
    first_number, worst_number = (int(number) for number in (outliers.argmax(), ratio.argmax()))

    def element(title: str, number: int) -> list[str]:
        index = tuple(int(i) for i in np.unravel_index(number, actual.shape))
        place = ", ".join(f"{axis} {i}" for axis, i in zip(axes, index, strict=True))
        return [
            f"  {title:10} {place}",
            f"  expected   {_number(expected[index], actual.dtype)}",
            f"  got        {_number(actual[index], actual.dtype)}",
            f"  error      {error[index]:.4g}; bound {bounds[index]:.4g}; error/bound {ratio[index]:.4g}",
            *note(index),
        ]

    lines = [f"  outside    {np.count_nonzero(outliers)} of {outliers.size} elements"]
    if first_number == worst_number:
        return (
            lines
            + element("first", first_number)[:1]
            + ["  worst      the same"]
            + element("", first_number)[1:]
        )
    return lines + element("first", first_number) + element("worst", worst_number)


def _error(actual: Reals, expected: Reals) -> NDArray[np.float64]:
    """Return the error of each number: infinite for NaN and infinity."""
    error = np.abs(actual.astype(np.float64) - expected)
    return np.where(np.isfinite(actual), error, np.inf)


def _number(value: np.floating, dtype: np.dtype[np.floating]) -> str:
    """Return a number in hexadecimal, in the format that the runtime returned, and in decimal."""
    with np.errstate(over="ignore", under="ignore"):
        number = value.astype(dtype)
    return f"{number.tobytes()[::-1].hex().upper()}  {value!s}"
