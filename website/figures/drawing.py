"""Drawings in SVG that follow the reader's preference of light or dark, with a title and a description."""

from collections.abc import Sequence
from html import escape
from typing import Literal

Tone = Literal["plain", "blue", "amber", "green", "red", "faint"]
Anchor = Literal["start", "middle", "end"]
Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""x, y, width and height of a rectangle."""

_STYLE = """
svg { color-scheme: light dark; }
.page { fill: #ffffff; }
text { fill: #1b1f24; }
.dim { fill: #4b535d; }
.mono { font-family: ui-monospace, "DejaVu Sans Mono", monospace; }
.bold { font-weight: 600; }
.plain { fill: #f4f5f7; stroke: #6b7580; }
.blue { fill: #e6effb; stroke: #3a6ea5; }
.amber { fill: #fbf0d9; stroke: #94701c; }
.green { fill: #e4f4e8; stroke: #357a48; }
.red { fill: #fde3dc; stroke: #b3391a; }
.faint { fill: none; stroke: #8c959f; stroke-dasharray: 4 3; }
.line { fill: none; stroke: #59636e; stroke-width: 1.5; }
.tip { fill: #59636e; }
@media (prefers-color-scheme: dark) {
.page { fill: #14181d; }
text { fill: #e8ebef; }
.dim { fill: #aab3bd; }
.plain { fill: #232930; stroke: #8c96a1; }
.blue { fill: #1b2a40; stroke: #7ea6dd; }
.amber { fill: #33290f; stroke: #d3b667; }
.green { fill: #17301f; stroke: #79bd8a; }
.red { fill: #43190e; stroke: #f08f74; }
.faint { stroke: #707a85; }
.line { stroke: #9aa4af; }
.tip { fill: #9aa4af; }
}
"""
_MARKER = (
    '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    '<path class="tip" d="M0 0L8 4L0 8z"/></marker>'
)


class Drawing:
    """A drawing to which shapes are added; coordinates are in pixels."""

    def __init__(self, width: int, height: int, title: str, description: str) -> None:
        self._size = (width, height)
        self._title, self._description = title, description
        self._parts: list[str] = []

    def box(self, box: Box, tone: Tone = "plain", *, corner: float = 4) -> None:
        """Add a rectangle."""
        x, y, width, height = box
        place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"'
        self._parts.append(f'<rect class="{tone}" {place} rx="{corner:g}"/>')

    def text(  # noqa: PLR0913 - what a text has
        self, x: float, y: float, text: str, *, kind: str = "", anchor: Anchor = "start", size: float = 14
    ) -> None:
        """Add a line of text; its kind is any of `dim`, `mono` and `bold`, separated by spaces."""
        attributes = (
            (f' class="{kind}"' if kind else "")
            + (f' text-anchor="{anchor}"' if anchor != "start" else "")
            + (f' font-size="{size:g}"' if size != 14 else "")
        )
        self._parts.append(f'<text x="{x:g}" y="{y:g}"{attributes}>{escape(text, quote=False)}</text>')

    def labelled_box(self, box: Box, lines: Sequence[str], tone: Tone = "plain", kind: str = "") -> None:
        """Add a rectangle with lines of text in its middle; the first line is the strongest."""
        self.box(box, tone)
        x, y, width, height = box
        top = y + height / 2 - 9 * (len(lines) - 1) + 5
        for number, line in enumerate(lines):
            style = ("bold " + kind).strip() if number == 0 else "dim"
            size = 14 if number == 0 else 12
            self.text(x + width / 2, top + 18 * number, line, kind=style, anchor="middle", size=size)

    def arrow(self, *points: Point, tip: bool = True) -> None:
        """Add a line through some points, with a tip at its end."""
        path = "L".join(f"{x:g} {y:g}" for x, y in points)
        self._parts.append(f'<path class="line" d="M{path}"' + (' marker-end="url(#tip)"/>' if tip else "/>"))

    def svg(self) -> str:
        """Return the whole drawing."""
        width, height = self._size
        attributes = (
            'xmlns="http://www.w3.org/2000/svg"',
            f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"',
            'font-family="system-ui, sans-serif" font-size="14"',
            'role="img" aria-labelledby="title description"',
        )
        return "\n".join(
            (
                f"<svg {' '.join(attributes)}>",
                f'<title id="title">{escape(self._title)}</title>',
                f'<desc id="description">{escape(self._description)}</desc>',
                f"<style>{_STYLE}</style>",
                f"<defs>{_MARKER}</defs>",
                f'<rect class="page" width="{width}" height="{height}" rx="8"/>',
                *self._parts,
                "</svg>\n",
            )
        )
