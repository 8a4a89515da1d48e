"""The results of a run: a file of JSON lines that grows with each trial, so that a run can be continued."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from ...core.vectors import VECTORS
from ...mutation.operators.mutants import OperatorMutant
from ...mutation.operators.sources import REPOSITORY
from .trial import UNREACHED, Trial


@dataclass(frozen=True)
class Row:
    """A mutant and the verdict on it: `killed`, `timed out`, `survived` or `unreached`.

    of: number of questions that evaluate the site. changed: see `Trial`.
    """

    key: str
    area: str
    module: str
    function: str
    line: int
    operator: str
    before: str
    after: str
    verdict: str
    by: str = ""
    headline: str = ""
    changed: bool = False
    asked: int = 0
    of: int = 0
    seconds: float = 0.0

    @classmethod
    def of_trial(cls, mutant: OperatorMutant, trial: Trial, questions: int) -> Self:
        """Return the row of a trial."""
        return cls(**_place(mutant), **asdict(trial), of=questions)

    @classmethod
    def unreached(cls, mutant: OperatorMutant) -> Self:
        """Return the row of a mutant that no vector reaches."""
        return cls(**_place(mutant), verdict=UNREACHED)


def _place(mutant: OperatorMutant) -> dict[str, Any]:
    source = mutant.source
    return {
        "key": mutant.key,
        "area": source.area,
        "module": source.module,
        "function": mutant.function,
        "line": mutant.line,
        "operator": mutant.operator,
        "before": mutant.before,
        "after": mutant.after,
    }


_INPUTS = (
    "spec/schema",
    *(f"llq_format/{room}" for room in ("format", "metadata", "validation", "package", "reference")),
    *(f"conformance/{room}" for room in ("core", "container", "checks", "runtimes", "mutation/operators")),
)
"""Folders of what verdicts depend on, in addition to the vectors."""


def inputs_digest() -> str:
    """Return a digest of all that verdicts depend on: the reference, the checks, operators and vectors."""
    digest = hashlib.sha256()
    files = [path for folder in _INPUTS for path in (REPOSITORY / folder).rglob("*")]
    for path in sorted([*files, VECTORS / "index.json"]):
        if path.suffix in (".py", ".json"):
            digest.update(f"{path.relative_to(REPOSITORY)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


class ResultsFile:
    """A file of results; the first line has the digest of the inputs."""

    def __init__(self, path: Path, digest: str) -> None:
        """Open the file for more rows. A file of other inputs is replaced."""
        self.rows = {row.key: row for row in read(path, digest)}
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"inputs": digest}) + "\n"
        text += "".join(_line(row) for row in self.rows.values())
        path.write_text(text, encoding="utf-8")  # without the line that an interruption cut off
        self._file = path.open("a", encoding="utf-8")

    def add(self, row: Row) -> None:
        """Append a row; it is in the file when this method returns."""
        self.rows[row.key] = row
        self._file.write(_line(row))
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read(path: Path, digest: str | None = None) -> Iterator[Row]:
    """Yield the complete rows of a file; none if the file is missing or of other inputs."""
    if not path.is_file():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    if not lines or (digest is not None and _value(lines[0]).get("inputs") != digest):
        return
    for line in lines[1:]:
        value = _value(line)
        if value:
            yield Row(**value)


def _value(line: str) -> dict[str, Any]:
    """Return the object of a line, or an empty one for a line that was cut off."""
    try:
        value: dict[str, Any] = json.loads(line) if line.endswith("\n") else {}
    except json.JSONDecodeError:
        return {}
    return value


def _line(row: Row) -> str:
    return json.dumps(asdict(row)) + "\n"


def survivors(rows: Iterable[Row]) -> list[Row]:
    """Return the rows of mutants that no vector kills, although a vector reaches them."""
    return [row for row in rows if row.verdict == "survived"]
