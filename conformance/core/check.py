"""A check: a question to a runtime about one vector, and the result of asking it.

The question itself is a plain function of runtime, vector and package that returns nothing or a `Failure`.
`Check` asks it only where the capabilities are claimed, and contains errors and time-outs. So checks run
under pytest and in-process alike.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from .printable import printable
from .runtime import NoAnswerError, TimedOut
from .vectors import Vector

INSTEAD = ("LLQ-EXT-1",)
"""The rule that packages with an extension test in runtimes without it."""


class Outcome(StrEnum):
    """How a check ended. Only `PASSED` is a pass; `KNOWN_FAILURE` is a bad outcome that was announced."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_CLAIMED = "not claimed"
    ERRORED = "errored"
    TIMED_OUT = "timed out"
    KNOWN_FAILURE = "known failure"

    @property
    def bad(self) -> bool:
        """Whether the runtime must change before it conforms."""
        return self in (Outcome.FAILED, Outcome.ERRORED, Outcome.TIMED_OUT)


@dataclass(frozen=True)
class Failure:
    """A wrong answer: in one line, in full, the rules that it breaks, the misreadings that yield it."""

    headline: str
    explanation: str
    broken: tuple[str, ...]
    misreadings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What came of one check of one vector: `rules` are the vector's, `broken` those that a failure names.

    `seconds` is how long the question took, preparing the package and explaining a failure included.
    """

    check: str
    capabilities: tuple[str, ...]
    vector: str
    rules: tuple[str, ...]
    outcome: Outcome
    headline: str = ""
    explanation: str = ""
    broken: tuple[str, ...] = ()
    misreadings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    seconds: float = field(default=0.0, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return the result as protocol/report.schema.json has it."""
        value: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return value

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Result":
        """Read what `to_json` wrote."""
        fields: dict[str, Any] = {
            name: tuple(member) if isinstance(member, list) else member for name, member in value.items()
        }
        fields["misreadings"] = {name: tuple(rules) for name, rules in value["misreadings"].items()}
        return cls(**fields | {"outcome": Outcome(value["outcome"])})


def missing_extensions(runtime: Any, vector: Vector) -> list[str]:
    """Return the extensions that a vector needs and a runtime does not declare."""
    return [name for name in vector.extensions if name not in runtime.info.extensions]


@dataclass(frozen=True)
class Check:
    """A question with a name, the capabilities that it presupposes, and the vectors that it concerns.

    `ask` takes a runtime, or a session of an exporter. `about` are the rules that the check tests, if they
    differ from the rules of the vector. `about_extensions` are further rules that it tests on a vector that
    needs an extension. `instead` is asked of a runtime without an extension that the vector needs, and is
    about `INSTEAD`; a check without it is then not claimed.
    """

    name: str
    needs: tuple[str, ...]
    concerns: Callable[[Vector], bool]
    ask: Callable[[Any, Vector, Path], Failure | None]
    about: tuple[str, ...] = ()
    about_extensions: tuple[str, ...] = ()
    instead: Callable[[Any, Vector, Path], Failure | None] | None = None

    def tested(self, vector: Vector) -> tuple[str, ...]:
        """Return the rules that the check of a vector tests."""
        return (self.about or vector.rules) + (self.about_extensions if vector.extensions else ())

    def __call__(self, runtime: Any, vector: Vector, workspace: Path) -> Result:
        """Ask about the vector; a package that needs a set-up is prepared under `workspace`."""
        start = time.perf_counter()
        missing = missing_extensions(runtime, vector)
        ask = self.instead if missing else self.ask
        about = INSTEAD if missing and ask else self.tested(vector)

        def result(outcome: Outcome, **fields: Any) -> Result:
            seconds = round(time.perf_counter() - start, 6)
            for name in ("headline", "explanation"):  # both may quote what the runtime answered
                fields[name] = printable(fields.get(name, ""))
            return Result(self.name, self.needs, vector.id, about, outcome, seconds=seconds, **fields)

        unclaimed = [capability for capability in self.needs if capability not in runtime.capabilities]
        if unclaimed:
            return result(Outcome.NOT_CLAIMED, headline=f"not claimed: {', '.join(unclaimed)}")
        if ask is None:
            return result(Outcome.NOT_CLAIMED, headline=f"not claimed: extension {', '.join(missing)}")
        try:
            failure = ask(runtime, vector, vector.prepared(workspace))
        except NoAnswerError as error:
            outcome = Outcome.TIMED_OUT if isinstance(error, TimedOut) else Outcome.ERRORED
            explanation = f"{self.name} {vector.id}: {error}"
            explanation += f"\n  vector     {vector.description}"
            explanation += f"\n{error.detail}" if error.detail else ""
            return result(outcome, headline=str(error), explanation=explanation, broken=about[:1])
        if failure is None:
            return result(Outcome.PASSED)
        return result(Outcome.FAILED, **vars(failure))
