"""The summary at the end of a run."""

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..core.check import Outcome, Result
from ..core.rules import area, registry
from ..core.runtime import Info
from ..core.target import Target
from ..diagnosis.causes import causes
from ..diagnosis.rule_status import Status, rule_statuses
from .rerun import command
from .verdict import ORDER, Omission, verdict

NAMED = 3
"""Maximum number of vectors that a line names; the others are counted."""

CAUSES = 12
"""Maximum number of causes that are described; the others are listed."""

WIDTH = 80


@dataclass(frozen=True)
class Summary:
    """All results of a run and its target."""

    target: Target
    info: Info
    capabilities: frozenset[str]
    results: Sequence[Result]
    vectors: str = ""
    """The argument of --vectors, if it is not the suite's own."""
    fresh: str = ""
    """What was asked about in the place of the vectors, if anything."""
    omission: Omission | None = None
    """What the run omitted; None for a complete run."""

    def lines(self) -> Iterator[str]:
        """Return the text: the runtime, counts by area, what is broken, the verdict."""
        name, option = f"{self.target.option:12} {self.info}", f"--{self.target.option}={self.target.spec}"
        yield from (
            [f"{name}   {option}"] if len(name) + len(option) + 3 <= WIDTH else [name, f"{'':12} {option}"]
        )
        yield from self._claims()
        yield ""
        yield from self._areas()
        yield from _folded(f"{'rules':12} ", self._rules())
        yield ""
        yield from self._causes()
        yield from self._conclusion()

    def _conclusion(self) -> Iterator[str]:
        """Yield the verdict, the last line; what a partial run omitted may take another line."""
        found = verdict(self.results, self.capabilities, self.target.option, self.fresh, self.omission).text
        yield from [found] if self.omission is None else _folded("", found)

    def _claims(self) -> Iterator[str]:
        relevant = {capability for result in self.results for capability in result.capabilities}
        lists = {
            "claimed": self.capabilities & relevant,
            "not claimed": relevant - self.capabilities,
            "unchecked": self.capabilities - relevant,
        }
        for title, capabilities in lists.items():
            if capabilities:
                names = ", ".join(sorted(capabilities, key=ORDER.index))
                yield from _folded(f"{title:12} ", names)
        if self.info.kv_cache:
            yield f"{'KV cache':12} {self.info.kv_cache}, as declared"
        if self.info.device:
            yield from _folded(f"{'device':12} ", self.info.device)
        if self.info.extensions:
            yield from _folded(f"{'extensions':12} ", ", ".join(self.info.extensions))

    def _areas(self) -> Iterator[str]:
        """Count checks by the area of their first rule, in order of the registry; of exporters by check."""
        counts: dict[str, Counter[Outcome]] = {}
        if not self.target.exporting:
            counts = {area(rule): Counter() for rule in registry()}
        for result in self.results:
            title = result.check if self.target.exporting else area(result.rules[0])
            counts.setdefault(title, Counter())[result.outcome] += 1
        rows = {name: count for name, count in counts.items() if count}
        rows["all"] = sum(rows.values(), Counter())
        columns = [outcome for outcome in Outcome if outcome is Outcome.PASSED or rows["all"][outcome]]
        widths = {outcome: max(13, len(outcome) + 1) for outcome in columns}
        yield f"{'check' if self.target.exporting else 'area':12}" + "".join(
            f"{outcome:>{widths[outcome]}}" for outcome in columns
        )
        for name, count in rows.items():
            yield f"{name:12}" + "".join(f"{count[outcome] or '-':>{widths[outcome]}}" for outcome in columns)

    def _rules(self) -> str:
        """Count rules by status."""
        statuses = rule_statuses(self.results)
        counts = Counter(entry.status for entry in statuses)
        parts = [
            f"{counts[status]} {status}"
            for status in Status
            if counts[status] and status is not Status.PASSED
        ]
        return f"{counts[Status.PASSED]} of {len(statuses)} passed" + "".join(f", {part}" for part in parts)

    def _causes(self) -> Iterator[str]:
        """Yield the causes of failures, and the command that reruns one vector."""
        all_causes = causes(self.results)
        if not all_causes:
            return
        for cause in all_causes[:CAUSES]:
            yield from _folded(f"{cause.title:14} {cause.count:4} × ", cause.description)
            ending = f" and {len(cause.vectors) - NAMED} more" if len(cause.vectors) > NAMED else ""
            yield from _folded(" " * 22, f"{', '.join(cause.vectors[:NAMED])}{ending}")
        if all_causes[CAUSES:]:
            ending = ", ".join(dict.fromkeys(cause.title for cause in all_causes[CAUSES:]))
            yield from _folded("", f"and {len(all_causes) - CAUSES} more: {ending}")
        if self.fresh and not self.vectors:  # each failure has its own directory, and states its command
            return
        yield f"Rerun one vector: {command(all_causes[0].vectors[0], self.target, self.vectors)}"
        yield ""


def _folded(lead: str, text: str) -> list[str]:
    """Return lines that fit, those after the first below the text's beginning; no word is cut."""
    width = max(20, WIDTH - len(lead))
    lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]
    return [lead + lines[0], *(" " * len(lead) + line for line in lines[1:])]
