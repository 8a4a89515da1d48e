"""Listings of directories for the page of a browser, which cannot read directories."""

import os
import stat
from pathlib import Path
from typing import Any


def listing(folder: Path) -> list[dict[str, Any]] | None:
    """Return name, kind and size in bytes of each entry; links are not followed. None for no directory.

    kind: `file` for a regular file, `other` for all else.
    """
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208  # names are wanted, not paths
    except (FileNotFoundError, NotADirectoryError):
        return None
    return [_entry(folder / name) for name in names]


def _entry(path: Path) -> dict[str, Any]:
    status = path.lstat()
    kind = "file" if stat.S_ISREG(status.st_mode) else "other"
    return {"name": path.name, "kind": kind, "size": status.st_size}
