"""A mutant of the exporter, with the rule that it breaks and the checks that kill it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ....core.runtime import Info

Export = Callable[[Path, Path], None]


@dataclass(frozen=True)
class Mutant:
    """A mutant exporter: its name, its title, the rule that it breaks, the checks that must kill it."""

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
        """Name and language of the exporter."""
        return Info(f"mutant {self.name}", language="Python")


MUTANTS: dict[str, Mutant] = {}
"""All mutants by name; importing their modules adds them."""


def mutant(name: str, title: str, rule: str, *checks: str) -> Callable[[Export], Export]:
    """Return what adds a mutant to the registry, of an export that is wrong."""

    def add(recipe: Export) -> Export:
        if name in MUTANTS:
            raise ValueError(f"two mutants are called {name}")
        MUTANTS[name] = Mutant(name, title, f"LLQ-{rule}", checks, recipe)
        return recipe

    return add
