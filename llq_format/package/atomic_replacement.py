"""Atomic replacement of files and directories: written next to the target, flushed, renamed."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import IO


@contextmanager
def replace_file(path: Path) -> Iterator[IO[bytes]]:
    """Provide a file to write, which replaces an older file once it is complete.

    An error within the block leaves the older file unchanged. The mode is that of any new file, by the umask.
    """
    partial = path.with_name(f".{path.name}.partial-{token_hex(4)}")
    file = partial.open("xb")
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def write_file(path: Path, data: bytes) -> None:
    """Write a new file and flush it to disk."""
    file = path.open("xb")
    file.write(data)
    sync_and_close(file)


def sync_and_close(file: IO[bytes]) -> None:
    """Flush a file to disk and close it."""
    with file:
        file.flush()
        os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Flush the entries of a directory to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put_in_place(partial: Path, target: Path, *, overwrite: bool) -> None:
    """Rename a finished directory to its name (LLQ-WRITE-2).

    An older package is renamed first and removed last.
    """
    if not (overwrite and os.path.lexists(target)):
        target.mkdir()  # FileExistsError if another has come in between; a rename replaces an empty directory
        partial.rename(target)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.old-", dir=target.parent))
    older = target.rename(aside / target.name)
    try:
        partial.rename(target)
    except BaseException:
        older.rename(target)
        aside.rmdir()
        raise
    shutil.rmtree(aside, ignore_errors=True)
