"""The place of the suite's data: among its modules if installed, next to its folder in the source tree."""

from pathlib import Path

HERE = Path(__file__).parents[1]


def data(name: str) -> Path:
    """Return the path of `vectors` or `spec`, a directory."""
    installed = HERE / name
    return installed if installed.is_dir() else HERE.parent / name
