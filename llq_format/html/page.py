"""Self-contained pages: elements that escape their text, and the files of `pages/`."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from xml.etree import ElementTree as ET

Child = ET.Element | str


def element(tag: str, *children: Child | Iterable[Child], **attributes: str | float) -> ET.Element:
    """Return an element; `class_` and `aria_label` stand for class and aria-label, text is escaped later."""
    made = ET.Element(tag, {_name(name): _text(value) for name, value in attributes.items()})
    for child in children:
        for one in [child] if isinstance(child, str | ET.Element) else child:
            _append(made, one)
    return made


def page(title: str, body: Iterable[ET.Element], style: str = "") -> str:
    """Return a page without scripts that asks for nothing from anywhere; `style` adds to the common one."""
    content = "\n".join(ET.tostring(one, encoding="unicode", method="html") for one in body)
    shown = ET.tostring(element("title", title), encoding="unicode", method="html")
    parts = {"{{title}}": shown, "{{style}}": _file("profile.css") + style, "{{body}}": content}
    before, template = "", _file("page.html")
    for mark, text in parts.items():  # from front to back, so that no text is searched for marks
        head, template = template.split(mark)
        before += head + text
    return before + template


def table(head: Iterable[str], rows: Iterable[Iterable[Child]], caption: str) -> ET.Element:
    """Return a table whose first column are headings, in a box of its own that scrolls."""
    return element(
        "div",
        element(
            "table",
            element("caption", caption),
            element("thead", element("tr", [element("th", name, scope="col") for name in head])),
            element(
                "tbody",
                [
                    element("tr", [element("td" if n else "th", cell) for n, cell in enumerate(row)])
                    for row in rows
                ],
            ),
        ),
        class_="wide",
        tabindex="0",
        role="region",
        aria_label=caption,
    )


def _append(parent: ET.Element, child: Child) -> None:
    if isinstance(child, ET.Element):
        parent.append(child)
        return
    # A character that is no text, as names in a report may have, is replaced.
    safe = "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in child)
    if len(parent):
        parent[-1].tail = (parent[-1].tail or "") + safe
    else:
        parent.text = (parent.text or "") + safe


def _name(name: str) -> str:
    return name.rstrip("_").replace("_", "-") if name.startswith(("aria", "class")) else name


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


@cache
def _file(name: str) -> str:
    return (files("llq_format.html") / "pages" / name).read_text(encoding="utf-8")
