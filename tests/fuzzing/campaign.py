"""A campaign: mutants are read by all readers until enough are, and what they disagree on is kept."""

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzzing.corpus import Corpus
from tests.fuzzing.minimize import minimized
from tests.fuzzing.mutations.packages import mutated
from tests.fuzzing.package import Package, size, write
from tests.fuzzing.readers.panel import NAMES, Panel, Verdicts

COUNTS = "counts.json"
SECONDS_BETWEEN_SAVES = 10
BATCH = 48  # packages that the readers get at a time


@dataclass
class Counts:
    """What a campaign counted."""

    executions: int = 0
    seconds: float = 0.0
    valid: int = 0
    first_errors: Counter[str] = field(default_factory=Counter)
    disagreements: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """Return the counts as JSON."""
        return {
            "executions": self.executions,
            "seconds": round(self.seconds, 1),
            "executions_per_second": round(self.executions / self.seconds, 1) if self.seconds else 0,
            "valid": self.valid,
            "first_errors": dict(sorted(self.first_errors.items())),
            "disagreements": [
                {"verdicts": dict(zip(NAMES, key, strict=True)), "count": count}
                for key, count in sorted(self.disagreements.items())
            ],
        }


class Campaign:
    """The state of a campaign in a directory: its corpus, its counts and the disagreements that it found."""

    def __init__(self, directory: Path | None, seed: int) -> None:
        """Load the corpus; without a directory nothing is kept."""
        self.directory, self.counts = directory, Counts()
        self._total_before = _total(directory)
        self._saved = time.monotonic()
        self.corpus = Corpus(None if directory is None else directory / "corpus")
        self._rng = Random(seed)  # noqa: S311  # a seeded generator is wanted

    def run(self, executions: int, on_progress: Callable[[Counts, Corpus], None] | None = None) -> Counts:
        """Execute mutants until there are `executions`, and return what was counted.

        on_progress: called after each batch.
        """
        begin = time.monotonic()
        with Panel() as panel, closing(self):
            while self.counts.executions < executions:
                batch = min(BATCH, executions - self.counts.executions)
                packages = [mutated(self.corpus.pick(self._rng), self._rng) for _ in range(batch)]
                for package, verdicts in zip(packages, panel.read(packages), strict=True):
                    self._count(package, verdicts, panel)
                self.counts.seconds = time.monotonic() - begin
                if time.monotonic() - self._saved > SECONDS_BETWEEN_SAVES:
                    self.close()
                if on_progress is not None:
                    on_progress(self.counts, self.corpus)
        return self.counts

    @property
    def total(self) -> int:
        """The number of executions of all campaigns in the directory."""
        return self._total_before + self.counts.executions

    def close(self) -> None:
        """Save the counts; an interrupted campaign loses none."""
        self._saved = time.monotonic()
        if self.directory is not None:
            self.directory.mkdir(parents=True, exist_ok=True)
            text = json.dumps({"total_executions": self.total, **self.counts.to_json()}, indent=1)
            (self.directory / COUNTS).write_text(text + "\n", encoding="utf-8")

    def _count(self, package: Package, verdicts: Verdicts, panel: Panel) -> None:
        self.counts.executions += 1
        if verdicts.agree:
            rule = verdicts.of_readers[0].rule
            self.counts.first_errors.update([] if rule is None else [rule])
            self.counts.valid += rule is None
            self.corpus.offer(package, verdicts.behaviour)
            return
        self.counts.disagreements[verdicts.key] += 1
        if self.counts.disagreements[verdicts.key] == 1:
            self._keep(package, verdicts, panel)

    def _keep(self, package: Package, verdicts: Verdicts, panel: Panel) -> None:
        """Keep the smallest package that shows a disagreement."""
        small = minimized(package, lambda candidate: panel.read([candidate])[0].key == verdicts.key)
        if self.directory is None:
            return
        name = " ".join(verdicts.key).replace("LLQ-", "").lower()
        place = (
            self.directory
            / "disagreements"
            / "".join(c if c.isalnum() or c == "-" else "_" for c in name)[:100]
        )
        shutil.rmtree(place, ignore_errors=True)
        write(small, place / "package")
        report = {"verdicts": dict(zip(NAMES, verdicts.key, strict=True)), "bytes": size(small)}
        (place / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _total(directory: Path | None) -> int:
    """Return the number of executions of earlier campaigns."""
    if directory is None or not (directory / COUNTS).is_file():
        return 0
    return int(json.loads((directory / COUNTS).read_text(encoding="utf-8"))["total_executions"])
