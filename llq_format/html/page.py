"""The frame of a page, which requests nothing: `page.html` with the common style `page.css`."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from xml.etree import ElementTree as ET

from llq_format.html.elements import element


def page(title: str, body: Iterable[ET.Element], style: str = "") -> str:
    """Return a page without scripts; `style` is added to the common style."""
    content = "\n".join(ET.tostring(node, encoding="unicode", method="html") for node in body)
    heading = ET.tostring(element("title", title), encoding="unicode", method="html")
    parts = {"{{title}}": heading, "{{style}}": read("llq_format.html", "page.css") + style}
    output, template = "", read("llq_format.html", "page.html")
    for mark, text in {
        **parts,
        "{{body}}": content,
    }.items():  # in order, so that no text is searched for marks
        head, template = template.split(mark)
        output += head + text
    return output + template


@cache
def read(package: str, name: str) -> str:
    """Return the text of a file of a package."""
    return (files(package) / name).read_text(encoding="utf-8")
