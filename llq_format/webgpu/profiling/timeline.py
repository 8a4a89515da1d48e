"""A run of a program as a picture: one lane per operation, one bar per dispatch, layers as bands (SVG)."""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from llq_format.html.elements import element, scrolling
from llq_format.html.svg import drawing, line, rectangle

LANE = 24
_WIDTH = 1000
_LEAST = 0.8  # of 1000: shorter bars stay visible
_TICKS = 8

KINDS = {
    "product": "matrix products",
    "attention": "attention",
    "rounding": "norms, activations, rounding",
    "choice": "choice of a token",
    "rest": "other",
}
"""Classes of the style sheet and their labels."""

_BEGINNINGS = {
    "matvec": "product",
    "matmul": "product",
    "rope": "attention",
    "attention": "attention",
    "combine": "attention",
    "fused_attention": "attention",
    "gated": "product",
    "hidden": "rounding",
    "norm": "rounding",
    "activate": "rounding",
    "argmax": "choice",
    "choose": "choice",
    "sample": "choice",
}


def kind(entry_point: str) -> str:
    """Return the class of an entry point."""
    return next(
        (kind_name for start, kind_name in _BEGINNINGS.items() if entry_point.startswith(start)), "rest"
    )


def timeline_picture(events: Sequence[Mapping[str, Any]], description: str) -> ET.Element:
    """Return the picture of a timeline's events; the list may be empty.

    description: the subject, for readers who cannot see the picture.
    """
    if not events:
        return element("p", "Single dispatches were not timed: the device has no timestamp queries.")
    span = max(event["start_ms"] + event["duration_ms"] for event in events) or 1.0
    lanes: dict[str, float] = {}
    for event in events:
        lanes[event["operation"]] = lanes.get(event["operation"], 0.0) + event["duration_ms"]
    rows = {name: number for number, name in enumerate(lanes)}
    height = LANE * len(lanes)
    picture = drawing(
        (_WIDTH, height),
        f"{description}: {len(events)} dispatches in {len(lanes)} lanes, {span:.3f} ms",
        _bands(events, span, height),
        [line(LANE * number, _WIDTH) for number in range(1, len(lanes))],
        [_bar(event, span, LANE * rows[event["operation"]]) for event in events],
        height=str(height),
    )
    names = element(
        "ul",
        [element("li", element("span", name), element("small", f"{ms:.3f}")) for name, ms in lanes.items()],
        class_="names",
        aria_label="lanes, with milliseconds",
    )
    grid = element("div", names, picture, element("div", "ms", class_="corner"), _axis(span), class_="lanes")
    return scrolling(description, grid, class_="timeline")


def _bar(event: Mapping[str, Any], span: float, top: float) -> ET.Element:
    words = [event["label"], event["entry_point"], f"{event['duration_ms']:.4f} ms"]
    words += [f"from {event['start_ms']:.4f} ms"]
    if "workgroups" in event:
        words.append(f"{event['workgroups']:,} workgroups")
    return rectangle(
        " · ".join(words),
        f"bar {kind(event['entry_point'])}",
        (
            _WIDTH * event["start_ms"] / span,
            top + 3,
            max(_LEAST, _WIDTH * event["duration_ms"] / span),
            LANE - 6,
        ),
    )


def _bands(events: Sequence[Mapping[str, Any]], span: float, height: float) -> list[ET.Element]:
    """Return a band for every second layer."""
    ends: dict[int, list[float]] = {}
    for event in events:
        layer = event.get("layer")
        if layer is not None and layer % 2 == 0:
            end = event["start_ms"] + event["duration_ms"]
            first, _ = ends.get(layer, [event["start_ms"], end])
            ends[layer] = [first, end]
    return [
        rectangle(
            f"layer {layer}: {end - start:.4f} ms",
            "band",
            (_WIDTH * start / span, 0, _WIDTH * (end - start) / span, height),
        )
        for layer, (start, end) in ends.items()
    ]


def _axis(span: float) -> ET.Element:
    """Return round times at most `_TICKS` of them."""
    step = next(
        size * 10.0**power
        for power in range(-6, 9)
        for size in (1, 2, 5)
        if span / (size * 10.0**power) <= _TICKS
    )
    times = [number * step for number in range(int(span / step) + 1) if number * step < 0.97 * span]
    marks = [element("span", f"{time:g}", style=f"left: {100 * time / span:.3f}%") for time in times]
    return element("div", marks, class_="axis", aria_hidden="true")
