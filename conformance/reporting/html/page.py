"""A self-contained page: the files of `pages/` and a body, with nothing that a browser has to fetch."""

import base64
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from ...diagnosis.rule_status import Status
from .markup import Html, element, text

PAGES = Path(__file__).parent / "pages"
_SLOT = re.compile(r"\{\{(\w+)\}\}")


def page(name: str, title: str, body: Html) -> str:
    """Return the page `name` (report or comparison): frame, its styles and its script, and a body.

    The policy in its head forbids every request, and every script but its own.
    """
    style = _file("page.css") + _file(f"{name}.css")
    script = _file("page.js") + _file(f"{name}.js")
    parts = {
        "title": text(title),
        "body": body,
        "style": Html(style),
        "script": Html(script),
        "script_sha256": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }
    return _SLOT.sub(lambda slot: parts[slot[1]], _file("page.html"))


def badge(status: str) -> Html:
    """Return a status or an outcome as a word with a sign, so that colour is not needed."""
    return element("span", status, class_="badge", data_status=status)


def controls(counts: Mapping[Status, int], *, differing: bool = False) -> Html:
    """Return search and filters, which the script shows; a box for each status that occurs."""
    boxes = [
        element(
            "label",
            element("input", type="checkbox", value=status, checked=True),
            badge(status),
            str(count),
        )
        for status, count in counts.items()
        if count
    ]
    only = element("label", element("input", type="checkbox", id="differing"), "only where runtimes differ")
    search = element("input", type="search", id="search", autocomplete="off")
    return element(
        "div",
        element("label", "Search", search),
        element("fieldset", element("legend", "Show rules"), *boxes),
        only if differing else "",
        element("p", role="status", id="shown"),
        class_="controls",
        hidden=True,
    )


def _file(name: str) -> str:
    return (PAGES / name).read_text(encoding="utf-8")
