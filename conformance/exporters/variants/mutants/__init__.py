"""Mutant exporters: each changes one part of the reference exporter.

Importing the modules adds their mutants to `MUTANTS`.
"""

from ...protocol import UnknownExporterError
from . import conduct, models, weights
from .mutant import MUTANTS, Mutant

MODULES = (conduct, models, weights)

__all__ = ["MODULES", "MUTANTS", "Mutant", "exporter"]


def exporter(name: str) -> Mutant:
    """Return the mutant of a name; raises UnknownExporterError."""
    if name not in MUTANTS:
        raise UnknownExporterError(
            f"there is no mutant exporter {name!r}; expected one of {', '.join(MUTANTS)}"
        )
    return MUTANTS[name]
