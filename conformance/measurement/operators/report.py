"""The report of a run: counts by operator, area and check, and the survivors with their reasons."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from .reasons import Reason, explanation, reasons, stale
from .results import Row

COLUMNS = ("made", "killed", "timed out", "legal", "hole", "unexplained", "unreached")
"""Made, and the verdicts; survivors by what their reasons say."""


@dataclass(frozen=True)
class Report:
    """The rows of a run. complete: whether the run tried all mutants of all modules."""

    rows: Sequence[Row]
    complete: bool
    reasons: Sequence[Reason] = field(default_factory=reasons)

    @cached_property
    def survivors(self) -> list[tuple[Row, Reason | None]]:
        """The survivors, each with its reason, in the order of the source."""
        rows = [row for row in self.rows if row.verdict == "survived"]
        rows.sort(key=lambda row: (row.module, row.line, row.operator, row.after))
        return [(row, explanation(row, self.reasons)) for row in rows]

    @property
    def unexplained(self) -> list[Row]:
        """The survivors without a reason."""
        return [row for row, reason in self.survivors if reason is None]

    @property
    def stale(self) -> list[Reason]:
        """The reasons that explain no survivor, if the run tried all mutants."""
        return stale(self.rows, self.reasons) if self.complete else []

    def counts(self, group: Callable[[Row], str]) -> dict[str, Counter[str]]:
        """Return the numbers of COLUMNS by group, in alphabetical order."""
        result: dict[str, Counter[str]] = {}
        for row in self.rows:
            counter = result.setdefault(group(row), Counter())
            counter["made"] += 1
            counter[self._column(row)] += 1
        return dict(sorted(result.items()))

    def killers(self) -> Counter[str]:
        """Return the number of mutants that each check killed first."""
        return Counter(row.by.partition("-")[0] for row in self.rows if row.by)

    def _column(self, row: Row) -> str:
        if row.verdict != "survived":
            return row.verdict
        reason = self._kinds.get(row.key)
        return "unexplained" if reason is None else reason.kind

    @cached_property
    def _kinds(self) -> dict[str, Reason | None]:
        return {row.key: reason for row, reason in self.survivors}

    def text(self) -> str:
        """Return the report as text."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        yield from _table("area", self.counts(lambda row: row.area))
        yield ""
        yield from _table("operator", self.counts(lambda row: row.operator))
        yield ""
        yield "killed by  " + ", ".join(f"{check} {n}" for check, n in self.killers().most_common())
        seconds = sum(row.seconds for row in self.rows)
        yield f"processor  {seconds:.0f} s" + ("" if self.complete else ", not all mutants")
        partly = sum(row.asked < row.of for row, _ in self.survivors)
        if partly:
            yield f"limited    {partly} survivors were not asked all questions (--limit)"
        for row in self.unexplained:
            yield f"survived   {row.module}:{row.line} {row.operator}: {row.before} -> {row.after}"
        for reason in self.stale:
            yield f"stale      {reason.reason}: explains no survivor, delete it from survivors/"

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            "complete": self.complete,
            "areas": self.counts(lambda row: row.area),
            "operators": self.counts(lambda row: row.operator),
            "killers": self.killers(),
            "stale": [asdict(reason) for reason in self.stale],
            "survivors": [
                asdict(row) | {"reason": None if reason is None else asdict(reason)}
                for row, reason in self.survivors
            ],
        }


def _table(heading: str, counts: dict[str, Counter[str]]) -> Iterator[str]:
    total: Counter[str] = sum(counts.values(), Counter())
    yield f"{heading:18}" + "".join(f"{column:>12}" for column in COLUMNS)
    for name, counter in [*counts.items(), ("all", total)]:
        yield f"{name:18}" + "".join(f"{counter[column]:12}" for column in COLUMNS)
