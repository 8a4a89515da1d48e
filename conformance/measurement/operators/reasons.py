"""Why mutants survive: the reasons in `survivors/`, each for the mutants that match its patterns.

A file has the reasons for an area. In a pattern, `*` is any text, and brackets denote themselves. An array
has several patterns. The first entry that matches a survivor explains it; one that explains none is stale.
"""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Literal

from .results import Row

REASONS = Path(__file__).parent / "survivors"

Kind = Literal["legal", "hole"]
Patterns = str | tuple[str, ...]
"""A pattern, or several: a text matches if it matches any of them."""


@dataclass(frozen=True)
class Reason:
    """A reason for mutants whose place and code match patterns, in which `*` is any text.

    kind: `legal` if the mutant conforms to the specification or equals the reference, `hole` if no vector
    distinguishes it yet.
    """

    kind: Kind
    reason: str
    module: Patterns = "*"
    function: Patterns = "*"
    operator: Patterns = "*"
    before: str = "*"
    after: Patterns = "*"

    def explains(self, row: Row) -> bool:
        """Return whether the reason applies to a survivor."""
        return all(
            any(fnmatchcase(text, _literal_brackets(pattern)) for pattern in _several(patterns))
            for text, patterns in (
                (row.module, self.module),
                (row.function, self.function),
                (row.operator, self.operator),
                (row.before, self.before),
                (row.after, self.after),
            )
        )


def _several(patterns: Patterns) -> tuple[str, ...]:
    return (patterns,) if isinstance(patterns, str) else patterns


def _literal_brackets(pattern: str) -> str:
    """Return a pattern in which brackets denote themselves, since code has many."""
    return pattern.replace("[", "[[]")


@cache
def reasons(folder: Path = REASONS) -> tuple[Reason, ...]:
    """Return the reasons of the files in a folder: an entry with several codes before is one reason for each.

    Raises ValueError or TypeError for an unsuitable entry.
    """
    files = (tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.toml")))
    entries = [entry for file in files for entry in file["reason"]]
    members: list[dict[str, Any]]
    members = [{name: tuple(v) if isinstance(v, list) else v for name, v in e.items()} for e in entries]
    found = tuple(
        Reason(**entry | {"before": before})
        for entry in members
        for before in _several(entry.get("before", "*"))
    )
    for reason in found:
        if reason.kind not in ("legal", "hole"):
            raise ValueError(f"a reason is legal or hole, not {reason.kind!r}: {reason.reason}")
    return found


def explanation(row: Row, candidates: Sequence[Reason]) -> Reason | None:
    """Return the first reason for a survivor, if any."""
    return next((reason for reason in candidates if reason.explains(row)), None)


def stale(rows: Iterable[Row], candidates: Sequence[Reason]) -> list[Reason]:
    """Return the reasons that explain no survivor."""
    used = {explanation(row, candidates) for row in rows if row.verdict == "survived"}
    return [reason for reason in candidates if reason not in used]
