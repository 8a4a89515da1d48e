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
    rows = (_row(name, found, order, quick) for name, found in matrix.kills.items())
    only = "" if matrix.complete else ", of each mutant the first few alone"
    body = text(
        element("h1", "The kill matrix"),
        element(
            "p",
            f"{len(matrix.kills)} runtimes that are wrong in one thing each, and which of {len(order)} "
            f"questions of the suite catch them{only}. A bar holds a mark for each question that does, in "
            "alphabetical order; the quick set's are orange. Computed by ",
            element("code", "python -m conformance.measurement.build"),
            "; try one with ",
            element("code", "pytest conformance --runtime=mutant:NAME"),
            ".",
        ),
        _alike(matrix),
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


def _row(name: str, found: frozenset[str], order: Sequence[str], quick: frozenset[str]) -> Html:
    mutant = MUTANTS[name]
    first = next(iter(sorted(found & quick)), "")
    return element(
        "tr",
        element("td", element("code", name)),
        element("td", mutant.title),
        element("td", mutant.rule, class_="rule", title=registry()[mutant.rule].sentence),
        element("td", mutant.capability, class_="check"),
        element("td", str(len(found)), class_="number"),
        element("td", _strip(found, order, quick)),
        element("td", element("code", first) if first else "", class_="first"),
    )


def _strip(found: frozenset[str], order: Sequence[str], quick: frozenset[str]) -> Html:
    """Return a bar with a mark for each question that catches a mutant."""
    marks = (
        element("i", class_="q" if question in quick else None, style=f"left:{100 * at / len(order):.2f}%")
        for at, question in enumerate(order)
        if question in found
    )
    return element("div", *marks, class_="strip", aria_hidden="true")


def _alike(matrix: KillMatrix) -> Html:
    """Return a paragraph about what tells two mutants apart."""
    if not matrix.complete:
        return Html("")
    groups = Html("; ".join(" and ".join(element("code", name) for name in group) for group in matrix.alike))
    return element(
        "p",
        "Every two of them are told apart: some question is answered rightly by one alone, or wrongly in two "
        "ways",
        text(". Exceptions: ", groups) if groups else "",
        ".",
    )


def write(matrix: KillMatrix) -> None:
    """Write the page."""
    PAGE.parent.mkdir(exist_ok=True)
    replace_file(PAGE, page(matrix))
