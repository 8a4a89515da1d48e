"""The files of a checkpoint, which must not change during an export."""

import hashlib
import os
import time
from pathlib import Path

from llq_format.exporting.checkpoint.checkpoint import CheckpointError
from llq_format.exporting.checkpoint.split_names import parts

_RECENT = 2_000_000_000
"""Nanoseconds within which a second change of a file may leave its times as they are."""

_Identity = tuple[int, int, int, int, int]


class SourceFiles:
    """The files of a checkpoint as they are before the first is read."""

    def __init__(self, path: Path) -> None:
        """Record the identity of each file: of one file, its parts, or a directory except hidden files."""
        self._path = path
        self._identities = {file: _identity(file) for file in self._files()}
        now = time.time_ns()
        self._recent = any(
            identity is not None and now - max(identity[3:]) < _RECENT
            for identity in self._identities.values()
        )
        self._sha256 = ""

    def sha256(self) -> str:
        """Return the SHA-256 of the bytes of the file, or of a list of files.

        The list has a line `<sha256>  <name>` for each file, sorted by name: each part of a model in several
        GGUF files, or each file of a directory.
        """
        self._sha256 = self._hash()
        return self._sha256

    def check(self) -> None:
        """Raise CheckpointError if a file changed since this object was created.

        Files that were new then are hashed again: the times of a file may be too coarse for them.
        """
        for file in sorted({*self._identities, *self._files()}):
            if self._identities.get(file) != _identity(file):
                raise CheckpointError(f"{file} changed during the export: run the command again")
        if self._recent and self._hash() != self._sha256:
            raise CheckpointError(f"{self._path} changed during the export: run the command again")

    def _files(self) -> list[Path]:
        if self._path.is_dir():
            paths = self._path.iterdir()
            return sorted(path for path in paths if path.is_file() and not path.name.startswith("."))
        return parts(self._path) if self._path.is_file() else []

    def _hash(self) -> str:
        files = list(self._identities)
        if len(files) == 1 and not self._path.is_dir():
            return _sha256(files[0])
        lines = "".join(f"{_sha256(file)}  {file.name}\n" for file in files)
        return hashlib.sha256(lines.encode()).hexdigest()


def _identity(path: Path) -> _Identity | None:
    try:
        status = os.stat(path)  # noqa: PTH116  # of the file that a link names
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
