"""The interface between the suite and an exporter: one method, from a checkpoint to a package.

What an exporter claims beside `export` is about how it chooses weights, which is its own affair: `weights`
if they stay near the checkpoint's own, in its order, and `rounding` if each is within half a step of it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ..core.runtime import Info

CLAIMS = {
    "model": frozenset({"export"}),
    "weights": frozenset({"export", "weights"}),
    "rounding": frozenset({"export", "weights", "rounding"}),
}
"""What may be claimed, by the argument of `--exporter-claims`; each includes those before it."""

DEFAULT_CLAIM = "weights"


class UnknownExporterError(ValueError):
    """The argument of `--exporter` is none that the suite understands."""


@dataclass(frozen=True)
class Export:
    """What came of an export: whether the exporter says that it wrote a package, and what it said."""

    succeeded: bool
    message: str = ""


class Exporter(Protocol):
    """An implementation of the class writer that makes packages of checkpoints."""

    @property
    def info(self) -> Info:
        """Who the exporter is."""

    @property
    def claim(self) -> str:
        """Which of `CLAIMS` the exporter makes by itself."""

    def export(self, checkpoint: Path, package: Path, largest_file: int | None = None) -> Export:
        """Make a package at a path that does not exist; no file may become longer than `largest_file` bytes.

        Raises TimedOut, or Errored where the exporter died.
        """
