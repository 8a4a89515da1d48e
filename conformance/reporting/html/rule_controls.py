"""What pages of rules share: badges of statuses, search and filters, with their style and script."""

from collections.abc import Mapping

from ...diagnosis.rule_status import Status
from .markup import Html, element
from .page import PAGES

FILES = (PAGES / "rules.css", PAGES / "rules.js")


def badge(status: str) -> Html:
    """Return a status or an outcome as a word with a sign, so that colour is not needed."""
    return element("span", status, class_="badge", data_status=status)


def controls(counts: Mapping[Status, int], *, differing_filter: bool = False) -> Html:
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
    differing_box = element(
        "label", element("input", type="checkbox", id="differing"), "only where runtimes differ"
    )
    search = element("input", type="search", id="search", autocomplete="off")
    return element(
        "div",
        element("label", "Search", search),
        element("fieldset", element("legend", "Show rules"), *boxes),
        differing_box if differing_filter else "",
        element("p", role="status", id="shown"),
        class_="controls",
        hidden=True,
    )
