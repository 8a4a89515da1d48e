"""The page of a comparison: rules as rows, runtimes as columns; it needs no script to be read."""

from pathlib import Path

from ...diagnosis.rule_status import Status
from ..comparison import Cell, Comparison, Row, rules_kept
from .explanation_markup import quoted
from .markup import Html, element, text
from .page import PAGES, page
from .report_page import spec_link
from .rule_controls import FILES, badge, controls


def comparison_page(comparison: Comparison, directory: Path) -> str:
    """Return the page of a comparison, its links to the specification relative to the page's directory."""
    wide = len(comparison.columns) + 1
    heads = (
        element(
            "th",
            str(column),
            element("small", column.device) if column.device else "",
            element("small", column.date[:10]),
            scope="col",
            title=column.spec,
        )
        for column in comparison.columns
    )
    capabilities = [
        element("tr", element("th", name, scope="row"), *(element("td", score) for score in scores))
        for name, scores in comparison.capabilities()
    ]
    table = element(
        "table",
        element("caption", "Checks passed by capability, and rules kept by area", class_="caption"),
        element("thead", element("tr", element("th", "Rule", scope="col"), *heads)),
        element("tbody", _divider("Capabilities", wide), *capabilities),
        *(_area(comparison, name, rows, directory) for name, rows in comparison.areas().items()),
    )
    counts = {
        status: sum(any(cell.status == status for cell in row.cells) for row in comparison.rows)
        for status in Status
    }
    body = text(
        element("a", "Skip to the table", class_="skip", href="#rules"),
        element(
            "header", element("p", "LLQ 1.0 conformance", class_="kicker"), element("h1", "Runtimes by rule")
        ),
        element(
            "main",
            *(element("p", f"Warning: {warning}.", class_="warning") for warning in comparison.warnings),
            controls(counts, differing_filter=len(comparison.columns) > 1),
            element(
                "div", table, class_="wide", id="rules", tabindex="0", role="region", aria_label="Comparison"
            ),
        ),
    )
    return page(
        "LLQ conformance: runtimes by rule", body, *FILES, PAGES / "comparison.css", PAGES / "comparison.js"
    )


def _divider(title: str, wide: int) -> Html:
    return element("tr", element("th", title, colspan=str(wide), scope="rowgroup"), class_="divider")


def _area(comparison: Comparison, name: str, rows: list[Row], directory: Path) -> Html:
    """Return the rules of an area; its head counts, and with the script folds them."""
    counts = (element("td", rules_kept(rows, number)) for number in range(len(comparison.columns)))
    head = element("th", name, element("span", class_="fold"), scope="rowgroup", id=f"area-{name}")
    return element(
        "tbody",
        element("tr", head, *counts, class_="divider"),
        *(_row(row, directory) for row in rows),
        class_="area",
    )


def _row(row: Row, directory: Path) -> Html:
    link = spec_link(row.id, row.stated, directory)
    rule = element(
        "details",
        element("summary", row.id, element("span", quoted(row.sentence), class_="short", aria_hidden="true")),
        element("p", quoted(row.sentence)),
        element("p", element("b", "Remedy "), quoted(row.remedy)),
        element("p", element("a", "In the specification", href=link)) if link else "",
    )
    return element(
        "tr",
        element("th", rule, scope="row"),
        *(element("td", _cell(cell)) for cell in row.cells),
        id=row.id,
        data_rule=row.id,
        data_status="|".join(dict.fromkeys(cell.status for cell in row.cells)),
        data_differs=row.differs,
    )


def _cell(cell: Cell) -> Html:
    count = f"{cell.passed} of {cell.asked}" if cell.asked else ""
    return text(badge(cell.status), " ", element("span", count, class_="count"))
