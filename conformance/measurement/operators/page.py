"""The page of a run: counts, and the survivors with their code before and after."""

from collections import Counter
from collections.abc import Iterable
from itertools import groupby

from ...mutation.operators.sources import path_of
from ...reporting.html.markup import Html, element, text
from ...reporting.html.page import page
from .reasons import Reason
from .report import COLUMNS, Report
from .results import Row


def html(report: Report) -> str:
    """Return the page, self-contained."""
    body = text(
        element("h1", "Mutation operators"),
        element("p", _summary(report)),
        element("h2", "By area"),
        _counts("area", report.counts(lambda row: row.area)),
        element("h2", "By operator"),
        _counts("operator", report.counts(lambda row: row.operator)),
        element("h2", "By the check that killed first"),
        _table(("check", "mutants"), ((name, str(n)) for name, n in report.killers().most_common())),
        element("h2", "Survivors"),
        *(
            text(element("h3", module), _survivors(list(group)))
            for module, group in groupby(report.survivors, key=lambda pair: pair[0].module)
        ),
    )
    return page("Mutation operators", body)


def _summary(report: Report) -> str:
    run = "All mutants of all modules" if report.complete else "A sample of the mutants"
    return (
        f"{run}: {len(report.rows)}; {len(report.survivors)} survived, "
        f"{len(report.unexplained)} of them without a reason. "
        "Unreached mutants differ only on values that no vector has."
    )


def _counts(heading: str, counts: dict[str, Counter[str]]) -> Html:
    rows = ((name, *(str(counter[column]) for column in COLUMNS)) for name, counter in counts.items())
    return _table((heading, *COLUMNS), rows)


def _survivors(pairs: list[tuple[Row, Reason | None]]) -> Html:
    lines = path_of(pairs[0][0].module).read_text(encoding="utf-8").splitlines()
    return _table(
        ("line", "function", "operator", "source", "before", "after", "questions", "reason"),
        (
            (
                str(row.line),
                element("code", row.function),
                row.operator,
                element("code", lines[row.line - 1].strip() if row.line <= len(lines) else ""),
                element("code", row.before),
                element("code", row.after),
                str(row.asked),
                "" if reason is None else f"{reason.kind}: {reason.reason}",
            )
            for row, reason in pairs
        ),
    )


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Html:
    return element(
        "table",
        element("thead", element("tr", *(element("th", name, scope="col") for name in head))),
        element("tbody", *(element("tr", *(element("td", cell) for cell in row)) for row in rows)),
    )
