"""The search for a failure among random questions, and the smallest one that it finds."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, assume, given, seed, settings
from hypothesis.errors import Unsatisfiable

from ..core.check import Check, Outcome, Result, missing_extensions
from ..core.vectors import load
from ..diagnosis.recognition import silent
from .questions import Question
from .storage import store
from .strategies import QUESTIONS

SMALLER_QUESTIONS = 100
"""Maximum number of smaller questions that are asked after a failure."""


@dataclass(frozen=True)
class Search:
    """How many questions are asked for each check, the seed, and where the smallest failure is kept."""

    questions: int
    seed: int
    kept: Path

    def __call__(self, check: Check, subject: Any, workspace: Path) -> Result:
        """Ask random questions until one fails, then smaller ones. Returns the smallest failure or a pass.

        No misreading is named: a small question fits several.
        """
        with silent():
            return self._search(check, subject, workspace)

    def _search(self, check: Check, subject: Any, workspace: Path) -> Result:
        asked = _Asked(check, subject, workspace)
        random = settings(
            max_examples=self.questions,
            phases=(Phase.generate, Phase.shrink),
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            verbosity=Verbosity.quiet,
            suppress_health_check=list(HealthCheck),
        )
        try:
            seed(self.seed)(random(given(QUESTIONS[check.name]())(asked.ask)))()
        except _FoundError:
            return self._keep(asked)
        except Unsatisfiable:  # legal executions may answer every question differently
            pass
        return asked.last or _nothing_asked(check)

    def _keep(self, asked: "_Asked") -> Result:
        """Copy the smallest failing vector to where it is kept, and return its result."""
        result, home = asked.smallest
        place = self.place(asked.check)
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(home, place)
        again = asked.check(asked.subject, load(place)[0], asked.workspace)  # its text names the kept files
        return again if again.outcome.bad else result

    def place(self, check: Check) -> Path:
        """Return the directory of the smallest failure of a check, which is one of vectors."""
        return self.kept / f"{check.name}-seed-{self.seed}"


def name_of(check: Check) -> str:
    """Return the id of the random vector of a check."""
    return f"random-{check.name}"


def _nothing_asked(check: Check) -> Result:
    headline = "no random question has a certain answer: use more questions or another seed"
    return Result(check.name, check.needs, name_of(check), ("LLQ-READ-1",), Outcome.NOT_CLAIMED, headline)


class _FoundError(Exception):
    """A question has a bad answer."""


@dataclass
class _Asked:
    """What was asked of a runtime. The last failure is the smallest."""

    check: Check
    subject: Any
    workspace: Path
    bad: dict[str, bool] = field(default_factory=dict)
    failures: list[tuple[Result, Path]] = field(default_factory=list)
    last: Result | None = None
    after_failure: int = 0

    @property
    def smallest(self) -> tuple[Result, Path]:
        """The last failure: questions become smaller once one fails."""
        return self.failures[-1]

    def ask(self, question: Question) -> None:
        """Ask one question. Raises _FoundError if the answer is bad."""
        key = repr(question)
        if key not in self.bad:
            if self.failures:
                self.after_failure += 1
            unclaimed = self.last is not None and self.last.outcome is Outcome.NOT_CLAIMED
            if unclaimed or self.after_failure > SMALLER_QUESTIONS:
                return
            self.bad[key] = self._is_bad(question)
        if self.bad[key]:
            raise _FoundError

    def _is_bad(self, question: Question) -> bool:
        home = self.workspace / str(len(self.bad))
        try:
            store(question, name_of(self.check), home)
        except ValueError:  # legal executions may answer differently, or a tensor fits no shard
            assume(condition=False)
        vector = load(home)[0]
        if self.check.instead is None and missing_extensions(self.subject, vector):
            shutil.rmtree(home)
            assume(condition=False)
        self.last = self.check(self.subject, vector, self.workspace)
        if not self.last.outcome.bad:
            shutil.rmtree(home)
            return False
        self.failures.append((self.last, home))
        return True
