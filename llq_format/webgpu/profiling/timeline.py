"""A run of a program as a picture: one lane an operation, one bar a dispatch, layers as bands (SVG)."""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from llq_format.html.page import element

LANE = 24
_WIDTH = 1000
_LEAST = 0.8  # of 1000: what is shorter is still seen
_TICKS = 8

KINDS = {
    "product": "matrix products",
    "attention": "attention",
    "rounding": "norms, activations, rounding",
    "choice": "choice of a token",
    "rest": "other",
}
"""Classes of the style sheet, and what they are called."""

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
    return next((found for start, found in _BEGINNINGS.items() if entry_point.startswith(start)), "rest")


def timeline_picture(events: Sequence[Mapping[str, Any]], what: str) -> ET.Element:
    """Return the picture of a timeline's events, which may be none.

    what: says what of, for those who cannot see it.
    """
    if not events:
        return element("p", "Single dispatches were not timed: the device has no timestamp queries.")
    span = max(one["start_ms"] + one["duration_ms"] for one in events) or 1.0
    lanes: dict[str, float] = {}
    for one in events:
        lanes[one["operation"]] = lanes.get(one["operation"], 0.0) + one["duration_ms"]
    rows = {name: number for number, name in enumerate(lanes)}
    height = LANE * len(lanes)
    drawing = element(
        "svg",
        _bands(events, span, height),
        [_line(LANE * number) for number in range(1, len(lanes))],
        [_bar(one, span, LANE * rows[one["operation"]]) for one in events],
        viewBox=f"0 0 {_WIDTH} {height}",
        height=str(height),
        preserveAspectRatio="none",
        role="img",
        aria_label=f"{what}: {len(events)} dispatches in {len(lanes)} lanes, {span:.3f} ms",
    )
    names = element(
        "ul",
        [element("li", element("span", name), element("small", f"{ms:.3f}")) for name, ms in lanes.items()],
        class_="names",
        aria_label="lanes, with milliseconds",
    )
    grid = element("div", names, drawing, element("div", "ms", class_="corner"), _axis(span), class_="lanes")
    return element("div", grid, class_="timeline", tabindex="0", role="region", aria_label=what)


def _bar(event: Mapping[str, Any], span: float, top: float) -> ET.Element:
    words = [event["label"], event["entry_point"], f"{event['duration_ms']:.4f} ms"]
    words += [f"from {event['start_ms']:.4f} ms"]
    if "workgroups" in event:
        words.append(f"{event['workgroups']:,} workgroups")
    return element(
        "rect",
        element("title", " · ".join(words)),
        class_=f"bar {kind(event['entry_point'])}",
        x=_WIDTH * event["start_ms"] / span,
        width=max(_LEAST, _WIDTH * event["duration_ms"] / span),
        y=top + 3,
        height=LANE - 6,
    )


def _bands(events: Sequence[Mapping[str, Any]], span: float, height: float) -> list[ET.Element]:
    """Return a band behind every other layer."""
    ends: dict[int, list[float]] = {}
    for one in events:
        layer = one.get("layer")
        if layer is not None and layer % 2 == 0:
            end = one["start_ms"] + one["duration_ms"]
            first, _ = ends.get(layer, [one["start_ms"], end])
            ends[layer] = [first, end]
    return [
        element(
            "rect",
            element("title", f"layer {layer}: {end - start:.4f} ms"),
            class_="band",
            x=_WIDTH * start / span,
            width=_WIDTH * (end - start) / span,
            y=0,
            height=height,
        )
        for layer, (start, end) in ends.items()
    ]


def _line(y: float) -> ET.Element:
    return element("line", class_="grid", x1=0, x2=_WIDTH, y1=y, y2=y)


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
