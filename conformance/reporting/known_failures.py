"""Known failures: a file lists checks that a runtime fails, each with its rule and a reason.

A listed failure does not fail the run, and is never counted as passed. The list cannot rot: an entry whose
check passes, or that names no check, fails the run. `protocol/known-failures.schema.json` describes the file.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..core.check import Outcome, Result
from ..core.file_replacement import replace_file
from ..runtimes import messages

Case = tuple[str, str]
"""A check and a vector."""


class KnownFailuresError(ValueError):
    """The file cannot be used, or an entry names no check of a vector."""


@dataclass(frozen=True)
class Entry:
    """A check of a vector that fails on `rule`: why, and since which version or date."""

    check: str
    vector: str
    rule: str
    reason: str
    since: str = ""

    def __str__(self) -> str:
        """Return what to look for in the file."""
        return f"{self.check} {self.vector} ({self.rule}: {self.reason})"

    def to_json(self) -> dict[str, str]:
        """Return the entry as the file has it."""
        return {name: value for name, value in vars(self).items() if value}


@dataclass(frozen=True)
class KnownFailures:
    """The entries of a file by case; without a file there are none."""

    file: Path | None = None
    entries: Mapping[Case, Entry] = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path) -> "KnownFailures":
        """Read a file; raise `KnownFailuresError` if its schema does not match or a case occurs twice."""
        try:
            contents = json.loads(file.read_text(encoding="utf-8"))
            messages.conform(contents, "known-failures")
        except (OSError, ValueError) as error:
            raise KnownFailuresError(f"the known failures in {file} cannot be used: {error}") from error
        entries: dict[Case, Entry] = {}
        for members in contents["known_failures"]:
            entry = Entry(**members)
            if (entry.check, entry.vector) in entries:
                raise KnownFailuresError(
                    f"{file} contains more than one entry for {entry.check} {entry.vector}"
                )
            entries[entry.check, entry.vector] = entry
        return cls(file, entries)

    def require(self, cases: Iterable[Case]) -> None:
        """Raise `KnownFailuresError` if an entry does not name one of these cases, which are all cases."""
        all_cases = set(cases)
        unknown = [entry for case, entry in self.entries.items() if case not in all_cases]
        if unknown:
            vectors = {vector for _, vector in all_cases}
            raise KnownFailuresError("\n".join(f"{self.file}: {_unknown(e, vectors)}" for e in unknown))

    def judge(self, result: Result) -> Result:
        """Return the result with its final outcome: known failures are listed with a rule that they break."""
        entry = self.entries.get((result.check, result.vector))
        if entry is None or not result.outcome.bad:
            return result
        if entry.rule not in result.broken:
            rules = ", ".join(result.broken)
            mismatch = f"  listed     as a known failure of {entry.rule}, but this failure breaks {rules}"
            return replace(result, explanation=f"{result.explanation}\n{mismatch}")
        since = f" (since {entry.since})" if entry.since else ""
        note = f"  known      {result.outcome}: {entry.reason}{since}"
        return replace(
            result, outcome=Outcome.KNOWN_FAILURE, explanation=f"{result.explanation}\n{note}".lstrip("\n")
        )

    def stale(self, results: Iterable[Result]) -> Iterator[str]:
        """Yield a line for each entry whose check does not fail: what to delete, and why."""
        reasons = {Outcome.PASSED: "passes", Outcome.NOT_CLAIMED: "is no longer claimed"}
        for result in results:
            entry = self.entries.get((result.check, result.vector))
            if entry and result.outcome in reasons:
                now = f"{entry.check} {entry.vector} {reasons[result.outcome]}"
                yield f"{now}: delete the entry {entry} from {self.file}"

    def renewed(self, results: Sequence[Result]) -> dict[str, Any]:
        """Return the contents of a file of all present failures; existing entries keep their reasons.

        Entries of checks that did not run are unchanged.
        """
        cases = {(result.check, result.vector) for result in results}
        entries = [entry for case, entry in self.entries.items() if case not in cases]
        for result in results:
            if result.outcome is Outcome.KNOWN_FAILURE:
                entries.append(self.entries[result.check, result.vector])
            elif result.outcome.bad:
                entries.append(Entry(result.check, result.vector, result.broken[0], result.headline))
        entries.sort(key=lambda entry: (entry.check, entry.vector))
        return {"known_failures": [entry.to_json() for entry in entries]}


def write(contents: dict[str, Any], file: Path) -> None:
    """Write the file, all of it or nothing."""
    messages.conform(contents, "known-failures")
    replace_file(file, json.dumps(contents, indent=1, ensure_ascii=False) + "\n")


def _unknown(entry: Entry, vectors: set[str]) -> str:
    """Return a message about an entry that names no check of a vector."""
    if entry.vector not in vectors:
        return f"there is no vector {entry.vector}: correct or delete the entry {entry}"
    return f"vector {entry.vector} has no check {entry.check}: correct or delete the entry {entry}"
