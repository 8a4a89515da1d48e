"""The reference implementation as an exporter."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from llq_format.exporting.export import export

from ..core.runtime import Info


def _version() -> str:
    try:
        return version("llq-format")
    except PackageNotFoundError:  # run from a source tree
        return ""


class Reference:
    """`llq export --method rtn`: rounding to nearest over the range of each block."""

    info = Info("llq-format", _version(), "Python")
    claim = "rounding"

    def export(self, checkpoint: Path, package: Path) -> None:
        """Write the package of a checkpoint; raises what the library raises."""
        export(checkpoint, package, method="rtn")
