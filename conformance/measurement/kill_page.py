"""The page of the kill matrix and table of mutants, docs/kill-matrix.html: made from quick.json."""

from collections.abc import Sequence
from pathlib import Path

from ..core.file_replacement import replace_file
from ..core.rules import registry
from ..mutation.kill_matrix import KillMatrix
from ..mutation.mutants import MUTANTS
from ..reporting.html import page as html_page
from ..reporting.html.markup import Html, element, text

PAGE = Path(__file__).parents[2] / "docs" / "kill-matrix.html"
FILES = tuple(Path(__file__).with_name(name) for name in ("kills.css", "kills.js"))
COLUMNS = (
    "mutant",
    "title, as failures name it",
    "rule",
    "seen by",
    "caught by",
    "questions",
    "in the quick set",
)


def page(matrix: KillMatrix) -> str:
    """Return the page; it says so where the matrix is not complete."""
    order, quick = matrix.questions, frozenset(matrix.quick)
    rows = (_row(name, killers, order, quick) for name, killers in matrix.kills.items())
    restriction = "" if matrix.complete else ", only the first few for each mutant"
    body = text(
        element("h1", "The kill matrix"),
        element(
            "p",
            f"{len(matrix.kills)} mutants, each wrong in one place, and the questions of the suite that kill "
            f"them, {len(order)} in all{restriction}. A bar has one mark for each question that kills the "
            "mutant, in alphabetical order. Questions of the quick set are orange. Computed by ",
            element("code", "python -m conformance.measurement.build"),
            "; try one with ",
            element("code", "pytest conformance --runtime=mutant:NAME"),
            ".",
        ),
        _indistinguishable(matrix),
        element(
            "input",
            type="search",
            placeholder="Filter by name, title, rule or capability",
            aria_label="Filter",
        ),
        element(
            "table",
            element("thead", element("tr", *(element("th", column, scope="col") for column in COLUMNS))),
            element("tbody", *rows),
        ),
        element("h2", "The quick set"),
        element("p", f"{len(quick)} questions that catch every mutant: ", element("code", "--quick"), "."),
        element("ul", *(element("li", element("code", q)) for q in matrix.quick), class_="chosen"),
    )
    return html_page.page("LLQ: the kill matrix", body, *FILES)


def _row(name: str, killers: frozenset[str], order: Sequence[str], quick: frozenset[str]) -> Html:
    mutant = MUTANTS[name]
    example = next(iter(sorted(killers & quick)), "")
    return element(
        "tr",
        element("td", element("code", name)),
        element("td", mutant.title),
        element("td", mutant.rule, class_="rule", title=registry()[mutant.rule].sentence),
        element("td", mutant.capability, class_="check"),
        element("td", str(len(killers)), class_="number"),
        element("td", _strip(killers, order, quick)),
        element("td", element("code", example) if example else "", class_="first"),
    )


def _strip(killers: frozenset[str], order: Sequence[str], quick: frozenset[str]) -> Html:
    """Return a bar with a mark for each question that catches a mutant."""
    marks = (
        element("i", class_="q" if question in quick else None, style=f"left:{100 * index / len(order):.2f}%")
        for index, question in enumerate(order)
        if question in killers
    )
    return element("div", *marks, class_="strip", aria_hidden="true")


def _indistinguishable(matrix: KillMatrix) -> Html:
    """Return a paragraph about the mutants that no question distinguishes."""
    if not matrix.complete:
        return Html("")
    groups = Html("; ".join(" and ".join(element("code", name) for name in group) for group in matrix.alike))
    return element(
        "p",
        "The suite distinguishes any two mutants: for some question, only one of them answers correctly, or "
        "both answer wrongly in different ways",
        text(". Exceptions: ", groups) if groups else "",
        ".",
    )


def write(matrix: KillMatrix) -> None:
    """Write the page."""
    PAGE.parent.mkdir(exist_ok=True)
    replace_file(PAGE, page(matrix))
