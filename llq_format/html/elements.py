"""Elements of HTML and SVG that escape their text, and the tables and lists that pages share."""

from collections.abc import Iterable
from xml.etree import ElementTree as ET

Child = ET.Element | str


def element(tag: str, *children: Child | Iterable[Child], **attributes: str | float) -> ET.Element:
    """Return an element; `class_` and `aria_label` denote class and aria-label, text is escaped later."""
    parent = ET.Element(tag, {_name(name): _text(value) for name, value in attributes.items()})
    for child in children:
        for node in [child] if isinstance(child, str | ET.Element) else child:
            _append(parent, node)
    return parent


def table(head: Iterable[str], rows: Iterable[Iterable[Child]], caption: str) -> ET.Element:
    """Return a table whose first column consists of headings, in a box that scrolls."""
    headings = element("tr", [element("th", name, scope="col") for name in head])
    body = [element("tr", [element("td" if n else "th", cell) for n, cell in enumerate(row)]) for row in rows]
    return table_of(headings, body, caption)


def table_of(
    head: ET.Element, rows: Iterable[ET.Element], caption: str, **attributes: str | float
) -> ET.Element:
    """Return a table of rows that are elements already, in a box that scrolls."""
    parts = [element("caption", caption), element("thead", head), element("tbody", rows)]
    return scrolling(caption, element("table", parts, **attributes), class_="wide")


def scrolling(label: str, *children: Child | Iterable[Child], class_: str) -> ET.Element:
    """Return a box that scrolls by itself, by the keyboard too."""
    return element("div", *children, class_=class_, tabindex="0", role="region", aria_label=label)


def figures(boxes: Iterable[tuple[str, Iterable[ET.Element]]]) -> ET.Element:
    """Return the headline of a page: names, each with its figure as one or more elements `dd`."""
    return element("dl", [element("div", element("dt", name), box) for name, box in boxes], class_="figures")


def fields(values: Iterable[tuple[str, str]]) -> ET.Element:
    """Return a list of names and values."""
    entries = [entry for name, value in values for entry in (element("dt", name), element("dd", value))]
    return element("dl", entries, class_="fields")


def _append(parent: ET.Element, child: Child) -> None:
    if isinstance(child, ET.Element):
        parent.append(child)
        return
    # A character that is not text, which a name in a report may contain, is replaced.
    safe = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in child)
    if len(parent):
        parent[-1].tail = (parent[-1].tail or "") + safe
    else:
        parent.text = (parent.text or "") + safe


def _name(name: str) -> str:
    return name.rstrip("_").replace("_", "-") if name.startswith(("aria", "class")) else name


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
