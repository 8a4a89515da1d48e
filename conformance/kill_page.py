"""The page of the kill matrix and table of mutants, docs/kill-matrix.html: made from quick.json."""

import html
from collections.abc import Sequence
from pathlib import Path

from .kill_matrix import KillMatrix
from .mutants import MUTANTS
from .registry import registry

PAGE = Path(__file__).parent.parent / "docs" / "kill-matrix.html"
STYLE = """
:root{color-scheme:light dark;--line:#8884;--mark:#2a7;--quick:#c60}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.2rem .5rem;border-bottom:1px solid var(--line);
vertical-align:top}th{position:sticky;top:0;background:Canvas}code{font-size:.9em}
.strip{display:flex;height:.8rem;width:16rem;background:var(--line);position:relative}
.strip i{position:absolute;top:0;bottom:0;width:1px;background:var(--mark)}
.strip i.q{background:var(--quick);width:2px}
.wrap{overflow-x:auto}input{font:inherit;width:100%;padding:.3rem;margin:.5rem 0}
"""
SCRIPT = """
const f=document.querySelector('input');f.oninput=()=>{for(const r of document.querySelectorAll('tbody tr'))
r.hidden=!r.textContent.toLowerCase().includes(f.value.toLowerCase())}
"""


def strip(found: frozenset[str], order: Sequence[str], quick: frozenset[str]) -> str:
    """Return a bar with a mark for each question that catches a mutant."""
    marks = [
        f'<i{" class=q" if question in quick else ""} style="left:{100 * at / len(order):.2f}%"></i>'
        for at, question in enumerate(order)
        if question in found
    ]
    return f'<div class="strip">{"".join(marks)}</div>'


def page(matrix: KillMatrix) -> str:
    """Return the page; it says so where the matrix is not complete."""
    kills, quick, complete, order = matrix.kills, matrix.quick, matrix.complete, matrix.questions
    rows = []
    for name, found in kills.items():
        mutant = MUTANTS[name]
        first = next(iter(sorted(found & set(quick))), "")
        rows.append(
            f"<tr><td><code>{name}</code><td>{html.escape(mutant.title)}"
            f'<td title="{html.escape(registry()[mutant.rule].sentence, quote=True)}">{mutant.rule}'
            f"<td>{mutant.capability}<td>{len(found)}<td>{strip(found, order, frozenset(quick))}"
            f"<td><code>{first}</code>"
        )
    chosen = "".join(f"<li><code>{question}</code>" for question in quick)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>LLQ: the kill matrix</title><style>{STYLE}</style><h1>The kill matrix</h1>"
        f"<p>{len(kills)} runtimes that are wrong in one thing each, and which of {len(order)} "
        f"questions of the suite catch them{'' if complete else ', of each mutant the first few alone'}. "
        "A bar holds a mark for each question that does, in alphabetical order; the quick set's are orange. "
        "Computed by <code>python -m conformance.separability</code>; try one with "
        "<code>pytest conformance --runtime=mutant:NAME</code>.</p>"
        '<input type="search" placeholder="Filter by name, mistake, rule or capability" aria-label="Filter">'
        '<div class="wrap"><table><thead><tr><th>mutant<th>mistake, as failures name it<th>rule<th>seen by'
        f"<th>caught by<th>questions<th>in the quick set</thead><tbody>{''.join(rows)}</tbody></table></div>"
        f"<h2>The quick set</h2><p>{len(quick)} questions that catch every mutant: <code>--quick</code>.</p>"
        f"<ul>{chosen}</ul><script>{SCRIPT}</script></html>\n"
    )


def write(matrix: KillMatrix) -> None:
    """Write the page."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(matrix), encoding="utf-8")
