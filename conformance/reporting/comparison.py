"""Several runtimes side by side, rule by rule, from the report of each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..core.check import Outcome
from ..core.runtime import CAPABILITIES
from ..diagnosis.rule_status import Status
from .report import Report, read

SIGNS = {
    Status.PASSED: "✓",
    Status.FAILED: "✗",
    Status.ERRORED: "!",
    Status.TIMED_OUT: "T",
    Status.KNOWN_FAILURE: "~",
    Status.UNCLEAR: "?",
}
"""Signs of statuses in the table of a terminal; other statuses have the sign –."""

SIGNS_LEGEND = "✓ passed  ✗ failed  ! errored  T timed out  ~ known failure  ? unclear  – not tested"


@dataclass(frozen=True)
class Cell:
    """The result of one runtime for one rule: status, number of passed checks, number of checks."""

    status: str
    passed: int
    asked: int

    def __str__(self) -> str:
        """Return for example `✗ 2/102`."""
        sign = SIGNS.get(Status(self.status), "–")
        return f"{sign} {self.passed}/{self.asked}" if self.asked else sign


@dataclass(frozen=True)
class Row:
    """One rule, with a cell for each runtime."""

    id: str
    area: str
    sentence: str
    remedy: str
    stated: str
    cells: tuple[Cell, ...]

    @property
    def differs(self) -> bool:
        """Whether runtimes differ; runtimes that claim nothing about the rule are ignored."""
        return len({cell.status for cell in self.cells if cell.asked}) > 1

    @property
    def bad(self) -> bool:
        """Whether some runtime must change."""
        return any(Status(cell.status).bad or cell.status == Status.KNOWN_FAILURE for cell in self.cells)


@dataclass(frozen=True)
class Column:
    """One runtime, the date of its test, and by capability the numbers of checks that passed and were run.

    device: what it declares to compute with, if anything.
    """

    name: str
    version: str
    spec: str
    date: str
    capabilities: Mapping[str, tuple[int, int]]
    device: str = ""

    def __str__(self) -> str:
        """Return name and version."""
        return f"{self.name} {self.version}".strip()


@dataclass(frozen=True)
class Comparison:
    """Rules × runtimes; `warnings` are the reasons why the columns may not be comparable."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    warnings: tuple[str, ...]

    @classmethod
    def read(cls, paths: Sequence[Path]) -> "Comparison":
        """Read reports; raise `ReportError` for a path that is not a report."""
        return cls.of([read(path) for path in paths])

    @classmethod
    def of(cls, reports: Sequence[Report]) -> "Comparison":
        """Put reports side by side, in their order; rules are in the order of the registry."""
        columns = tuple(_column(report) for report in reports)
        return cls(columns, tuple(_rows(reports)), tuple(_warnings(reports, columns)))

    def areas(self) -> dict[str, list[Row]]:
        """Return the rules by area."""
        areas: dict[str, list[Row]] = {row.area: [] for row in self.rows}
        for row in self.rows:
            areas[row.area].append(row)
        return areas

    def capabilities(self) -> Iterator[tuple[str, list[str]]]:
        """Return, for each capability that was tested, the share of checks that each runtime passed."""
        for name in CAPABILITIES:
            scores = [column.capabilities.get(name, (0, 0)) for column in self.columns]
            if any(name in column.capabilities for column in self.columns):
                yield name, [percent(*score) for score in scores]

    def table(self, *, all_rules: bool) -> tuple[list[str], list[list[str]]]:
        """Return head and rows for a terminal: the rules that fail or differ, or all rules."""
        rows = [[name, *scores] for name, scores in self.capabilities()]
        for area, members in self.areas().items():
            rows.append([area, *(rules_kept(members, number) for number in range(len(self.columns)))])
            selection = [row for row in members if all_rules or row.bad or row.differs]
            rows += [[f"  {row.id}", *map(str, row.cells)] for row in selection]
        return ["", *map(str, self.columns)], rows

    def to_json(self) -> dict[str, Any]:
        """Return everything."""
        return {
            "warnings": list(self.warnings),
            "runtimes": [asdict(column) for column in self.columns],
            "rules": [asdict(row) | {"differs": row.differs} for row in self.rows],
        }


def rules_kept(rows: Sequence[Row], number: int) -> str:
    """Return how many rules a runtime follows, out of the rules that were tested."""
    cells = [row.cells[number] for row in rows if row.cells[number].asked]
    return f"{sum(cell.status == Status.PASSED for cell in cells)}/{len(cells)}" if cells else "–"


def percent(part: int, total: int) -> str:
    """Return a share, rounded down so that only all is 100 %."""
    return f"{100 * part // total} %" if total else "–"


def _column(report: Report) -> Column:
    runtime = report["runtime"]
    counts: dict[str, list[int]] = {}
    for result in report["results"]:
        if result["outcome"] != Outcome.NOT_CLAIMED:
            for name in result["capabilities"]:
                count = counts.setdefault(name, [0, 0])
                count[0] += result["outcome"] == Outcome.PASSED
                count[1] += 1
    scores = {name: (counts[name][0], counts[name][1]) for name in CAPABILITIES if name in counts}
    device = runtime.get("device", "")
    return Column(runtime["name"], runtime["version"], runtime["spec"], report["date"], scores, device)


def _rows(reports: Sequence[Report]) -> Iterator[Row]:
    entries = [{rule["id"]: rule for rule in report["rules"]} for report in reports]
    rules_by_id = {name: rule for rules in reversed(entries) for name, rule in rules.items()}
    for name in dict.fromkeys(name for rules in entries for name in rules):
        cells = tuple(_cell(rules.get(name)) for rules in entries)
        rule = rules_by_id[name]
        yield Row(name, rule["area"], rule["sentence"], rule["remedy"], rule["stated"], cells)


def _cell(rule: Mapping[str, Any] | None) -> Cell:
    if rule is None:
        return Cell(Status.NOT_ASKED, 0, 0)
    outcomes = rule["outcomes"]
    total = sum(count for outcome, count in outcomes.items() if outcome != Outcome.NOT_CLAIMED)
    return Cell(rule["status"], outcomes.get(Outcome.PASSED.value, 0), total)


def _warnings(reports: Sequence[Report], columns: Sequence[Column]) -> Iterator[str]:
    for member, several in (("vectors", "vectors"), ("suite", "suites")):
        digests = [report[member]["sha256"] for report in reports]
        if len(set(digests)) > 1:
            digest_list = "; ".join(f"{c}: {d[:12]}" for c, d in zip(columns, digests, strict=True))
            yield f"different {several} were used: the columns may not be comparable (SHA-256 {digest_list})"
    for report, column in zip(reports, columns, strict=True):
        if report["verdict"]["omitted"]:
            yield f"{column} was tested only in part: {report['verdict']['text']}"
