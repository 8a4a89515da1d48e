"""Drawings as SVG, which stretch to the width of their place."""

from collections.abc import Iterable, Sequence
from xml.etree import ElementTree as ET

from llq_format.html.elements import Child, element

_PITCH, _GAP, _HEIGHT = 10, 2, 100


def drawing(
    size: tuple[float, float], label: str, *children: Child | Iterable[Child], **attributes: str | float
) -> ET.Element:
    """Return an SVG image of a width and height; the label says what it shows to those who cannot see it."""
    width, height = size
    return element(
        "svg",
        *children,
        viewBox=f"0 0 {width} {height}",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
        **attributes,
    )


def rectangle(title: str, class_: str, box: tuple[float, float, float, float]) -> ET.Element:
    """Return a rectangle that shows its title when it is pointed at; box: x, y, width and height."""
    x, y, width, height = box
    return element("rect", element("title", title), class_=class_, x=x, y=y, width=width, height=height)


def line(y: float, width: float) -> ET.Element:
    """Return a horizontal line of a grid."""
    return element("line", class_="grid", x1=0, x2=width, y1=y, y2=y)


def columns(
    shares: Sequence[float], titles: Sequence[str], label: str, kind: str, lines: int = 0
) -> ET.Element:
    """Return a column for each share, 0 to 1, of the height.

    kind: the class that gives the columns their colour. lines: how many lines of a grid are drawn.
    """
    width = _PITCH * max(1, len(shares))
    bars = [
        rectangle(
            title,
            f"bar {kind}",
            (_PITCH * number + _GAP / 2, _HEIGHT * (1 - share), _PITCH - _GAP, _HEIGHT * share),
        )
        for number, (share, title) in enumerate(zip(shares, titles, strict=True))
    ]
    grid = [line(_HEIGHT * number / lines, width) for number in range(lines)]
    return drawing((width, _HEIGHT), label, grid, bars, class_="blocks")
