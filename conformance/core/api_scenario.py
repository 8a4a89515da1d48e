"""Scenarios of the JavaScript interface: calls in order, and what came of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .vectors import Vector

Step = Mapping[str, Any]

EXPECTATIONS = ("rule", "expect")
"""Members of a step that only the suite knows."""


@dataclass(frozen=True)
class Scenario:
    """A package and a vocabulary to serve, what goes wrong in serving them, and the calls to make."""

    package: Path
    vocabulary: Path | None
    steps: Sequence[Step]
    faults: Sequence[Mapping[str, Any]]

    @classmethod
    def of(cls, vector: Vector, package: Path) -> "Scenario":
        """Return the scenario of a vector."""
        members = vector.members
        vocabulary = vector.file("vocabulary") if "vocabulary" in members else None
        return cls(package, vocabulary, members["steps"], members["faults"])

    def steps_for_adapter(self) -> list[dict[str, Any]]:
        """Return the steps as an adapter gets them: without what is expected."""
        return [_without_expectations(step) for step in self.steps]


@dataclass(frozen=True)
class Observations:
    """What was seen of each step, and by the server: its log, and how many answers were left hanging."""

    steps: Sequence[Mapping[str, Any]]
    log: Sequence[str] = ()
    hanging: int = 0


def _without_expectations(step: Step) -> dict[str, Any]:
    """Return a step without what is expected of it."""
    members = {name: member for name, member in step.items() if name not in EXPECTATIONS}
    return (
        members | {"steps": [_without_expectations(substep) for substep in step["steps"]]}
        if "steps" in step
        else members
    )
