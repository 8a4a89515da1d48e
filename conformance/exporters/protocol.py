"""The interface between the suite and an exporter: one method, from a checkpoint to a package.

The choice of weights is implementation-defined, so an exporter claims what the suite may check: `weights` if
they are near the checkpoint's weights, in their order, and `rounding` if each is within half a step.
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
"""The capabilities by the argument of `--exporter-claims`; each claim includes the previous ones."""

DEFAULT_CLAIM = "weights"


class UnknownExporterError(ValueError):
    """The argument of `--exporter` is not valid."""


@dataclass(frozen=True)
class Export:
    """The result of an export: whether the exporter reports success, and its message."""

    succeeded: bool
    message: str = ""


class Exporter(Protocol):
    """An implementation of the class writer that makes packages of checkpoints."""

    @property
    def info(self) -> Info:
        """Name, version and language of the exporter."""

    @property
    def claim(self) -> str:
        """The exporter's own claim, a key of `CLAIMS`."""

    def export(self, checkpoint: Path, package: Path, largest_file: int | None = None) -> Export:
        """Make a package at a path that does not exist; no file may become longer than `largest_file` bytes.

        Raises TimedOut, or Errored where the exporter died.
        """
