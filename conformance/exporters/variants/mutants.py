"""Mutants: exporters that are wrong in one thing each, and the rule and the check that have to find it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...core.runtime import Info
from ..protocol import UnknownExporterError

Export = Callable[[Path, Path], None]


@dataclass(frozen=True)
class Mutant:
    """A wrong exporter: its name, its mistake, the rule that this breaks, and the checks that must see it."""

    name: str
    title: str
    rule: str
    checks: tuple[str, ...]
    recipe: Export
    claim = "rounding"

    def __call__(self, checkpoint: Path, package: Path) -> None:
        """Export, wrongly."""
        self.recipe(checkpoint, package)

    @property
    def info(self) -> Info:
        """Who it says that it is."""
        return Info(f"mutant {self.name}", language="Python")


MUTANTS: dict[str, Mutant] = {}
"""All mutants by name, once `find` was called or their modules are imported."""


def mutant(name: str, title: str, rule: str, *checks: str) -> Callable[[Export], Export]:
    """Return what adds a mutant to the registry, of an export that is wrong."""

    def add(recipe: Export) -> Export:
        if name in MUTANTS:
            raise ValueError(f"two mutants are called {name}")
        MUTANTS[name] = Mutant(name, title, f"LLQ-{rule}", checks, recipe)
        return recipe

    return add


def mutants() -> dict[str, Mutant]:
    """Return all mutants."""
    from . import mutants_of_conduct, mutants_of_models, mutants_of_weights  # noqa: F401, PLC0415 - they register themselves

    return MUTANTS


def exporter(name: str) -> Mutant:
    """Return the mutant of a name; raises UnknownExporterError."""
    if name not in mutants():
        raise UnknownExporterError(f"no mutant exporter is called {name!r}; there are {', '.join(MUTANTS)}")
    return MUTANTS[name]
