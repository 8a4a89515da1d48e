"""The page of the kill matrix: which questions of the suite kill each mutant, made from quick.json."""

from collections.abc import Sequence

from conformance.mutation.kill_matrix import KillMatrix
from conformance.mutation.mutants import MUTANTS
from conformance.reporting.html.markup import Html, element, text
from website import markdown
from website.places import page_of_rule

_HEAD = (
    "mutant",
    "title, as failures name it",
    "rule",
    "seen by",
    "killed by",
    "questions",
    "in the quick set",
)


def page(matrix: KillMatrix) -> str:
    """Return the Markdown of the page."""
    quick = len(matrix.quick)
    return "\n".join(
        (
            "# The kill matrix\n",
            f"{len(matrix.kills)} mutants, which are runtimes that are wrong in one thing each.",
            f"{len(matrix.questions)} questions of the suite kill them{_limit(matrix)}.",
            "A bar holds a mark for each question that kills the mutant, in alphabetical order.",
            "Marks of the quick set are orange.",
            "`python -m conformance.measurement.build` computes the matrix.",
            "`pytest conformance --runtime=mutant:NAME` asks one mutant.\n",
            f"{_alike(matrix)}\n",
            markdown.html_block(_table(matrix)),
            "## The quick set\n",
            f"{quick} questions that kill every mutant: `pytest conformance --quick`.\n",
            markdown.html_block(
                element(
                    "ul", *(element("li", element("code", name)) for name in matrix.quick), class_="chosen"
                )
            ),
        )
    )


def _limit(matrix: KillMatrix) -> str:
    return "" if matrix.complete else ", of each mutant the first few alone"


def _alike(matrix: KillMatrix) -> str:
    """Return a paragraph about mutants that give the same answers."""
    if not matrix.complete:
        return ""
    groups = "; ".join(" and ".join(f"`{name}`" for name in group) for group in matrix.alike)
    return "Every two mutants give different answers to some question." + (
        f" Exceptions: {groups}." if groups else ""
    )


def _table(matrix: KillMatrix) -> Html:
    search = element("input", type="search", id="kill-filter", autocomplete="off")
    head = element("tr", *(element("th", name, scope="col") for name in _HEAD))
    rows = (_row(name, killed_by, matrix) for name, killed_by in matrix.kills.items())
    table = element("table", element("thead", head), element("tbody", *rows), class_="kills")
    return text(
        element("label", "Filter by name, title, rule or capability ", search, class_="kill-filter"),
        element("div", table, class_="table-wrapper"),
    )


def _row(name: str, killed_by: frozenset[str], matrix: KillMatrix) -> Html:
    mutant = MUTANTS[name]
    quick = frozenset(matrix.quick)
    first = next(iter(sorted(killed_by & quick)), "")
    return element(
        "tr",
        element("td", element("code", name)),
        element("td", mutant.title),
        element("td", element("a", mutant.rule, href=f"../{page_of_rule(mutant.rule)}.html"), class_="rule"),
        element("td", mutant.capability, class_="check"),
        element("td", str(len(killed_by)), class_="number"),
        element("td", strip(killed_by, matrix.questions, quick)),
        element("td", element("code", first) if first else "", class_="first"),
    )


def strip(killed_by: frozenset[str], order: Sequence[str], quick: frozenset[str]) -> Html:
    """Return a bar with a mark for each question that kills a mutant."""
    marks = [
        element("i", class_="q" if question in quick else None, style=f"left:{100 * at / len(order):.2f}%")
        for at, question in enumerate(order)
        if question in killed_by
    ]
    return element("div", *marks, class_="strip", aria_hidden="true")
