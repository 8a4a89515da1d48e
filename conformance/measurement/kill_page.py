"""The page of the kill matrix and table of mutants, docs/kill-matrix.html: made from quick.json."""

import html
from collections.abc import Sequence
from pathlib import Path

from ..core.file_replacement import replace_file
from ..core.rules import registry
from ..mutation.kill_matrix import KillMatrix
from ..mutation.mutants import MUTANTS
from ..reporting.html.page import PAGES

PAGE = Path(__file__).parents[2] / "docs" / "kill-matrix.html"


def strip(found: frozenset[str], order: Sequence[str], quick: frozenset[str]) -> str:
    """Return a bar with a mark for each question that catches a mutant."""
    marks = [
        f'<i{" class=q" if question in quick else ""} style="left:{100 * at / len(order):.2f}%"></i>'
        for at, question in enumerate(order)
        if question in found
    ]
    return f'<div class="strip" aria-hidden="true">{"".join(marks)}</div>'


def page(matrix: KillMatrix) -> str:
    """Return the page; it says so where the matrix is not complete."""
    order, quick = matrix.questions, frozenset(matrix.quick)
    chosen = "".join(f"<li><code>{question}</code>" for question in matrix.quick)
    rows = "".join(_row(name, found, order, quick) for name, found in matrix.kills.items())
    only = "" if matrix.complete else ", of each mutant the first few alone"
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>LLQ: the kill matrix</title><style>{_file('kills.css')}</style><h1>The kill matrix</h1>"
        f"<p>{len(matrix.kills)} runtimes that are wrong in one thing each, and which of {len(order)} "
        f"questions of the suite catch them{only}. A bar holds a mark for each question that does, in "
        "alphabetical order; the quick set's are orange. Computed by "
        "<code>python -m conformance.measurement.build</code>; try one with "
        "<code>pytest conformance --runtime=mutant:NAME</code>.</p>"
        f"{_alike(matrix)}"
        '<input type="search" placeholder="Filter by name, title, rule or capability" aria-label="Filter">'
        "<table><thead><tr><th>mutant<th>title, as failures name it<th>rule<th>seen by"
        f"<th>caught by<th>questions<th>in the quick set</thead><tbody>{rows}</tbody></table>"
        f"<h2>The quick set</h2><p>{len(quick)} questions that catch every mutant: <code>--quick</code>.</p>"
        f'<ul class="chosen">{chosen}</ul><script>{_file("kills.js")}</script></html>\n'
    )


def _row(name: str, found: frozenset[str], order: Sequence[str], quick: frozenset[str]) -> str:
    mutant = MUTANTS[name]
    sentence = html.escape(registry()[mutant.rule].sentence, quote=True)
    return (
        f"<tr><td><code>{name}</code><td>{html.escape(mutant.title)}"
        f'<td class="rule" title="{sentence}">{mutant.rule}<td class="check">{mutant.capability}'
        f'<td class="number">{len(found)}<td>{strip(found, order, quick)}'
        f'<td class="first"><code>{next(iter(sorted(found & quick)), "")}</code>'
    )


def _alike(matrix: KillMatrix) -> str:
    """Return a paragraph about what tells two mutants apart."""
    if not matrix.complete:
        return ""
    groups = "; ".join(" and ".join(f"<code>{name}</code>" for name in group) for group in matrix.alike)
    return (
        "<p>Every two of them are told apart: some question is answered rightly by one alone, or wrongly "
        f"in two ways{f'. Exceptions: {groups}' if groups else ''}.</p>"
    )


def write(matrix: KillMatrix) -> None:
    """Write the page."""
    PAGE.parent.mkdir(exist_ok=True)
    replace_file(PAGE, page(matrix))


def _file(name: str) -> str:
    return (PAGES / name).read_text(encoding="utf-8")
