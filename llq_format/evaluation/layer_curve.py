"""The error of each layer as columns with an axis."""

import math
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from llq_format.html.elements import element
from llq_format.html.svg import columns

_LINES = 4


def layer_curve(description: str, errors: Sequence[float], kind: str) -> list[ET.Element]:
    """Return a picture of relative errors by layer; `kind` is the CSS class of its colour."""
    top = _above(max(errors))
    chart = columns(
        [error / top for error in errors],
        [f"layer {layer}: {error:.3%}" for layer, error in enumerate(errors)],
        f"error {description} by layer, from {min(errors):.3%} to {max(errors):.3%}",
        kind,
        _LINES,
    )
    ticks = [element("span", f"{100 * top * (_LINES - line) / _LINES:.3g}%") for line in range(_LINES)]
    axis = element("div", [*ticks, element("span", "0")], class_="ticks", aria_hidden="true")
    count = len(errors)
    places = sorted({round(part * (count - 1) / 5) for part in range(6)})
    labels = [
        element("span", str(place) if place else "layer 0", style=f"left: {_middle(place, count)}%")
        for place in places
    ]
    return [
        element("h3", f"Error {description}, share of energy"),
        element(
            "div",
            axis,
            chart,
            element("div", labels, class_="places", aria_hidden="true"),
            class_="curve",
        ),
    ]


def _middle(place: int, count: int) -> str:
    return f"{100 * (place + 0.5) / count:.3f}"


def _above(value: float) -> float:
    """Return the smallest of 1, 2, 4 or 8 times a power of ten that is at least a value."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 8, 10) if step * power >= value)
