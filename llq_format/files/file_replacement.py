"""Atomic replacement of files: written next to the target, flushed, renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from pathlib import Path
from secrets import token_hex
from typing import IO

from llq_format.files.deferred_signals import signals_deferred
from llq_format.files.lock import BUSY

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment]


@contextmanager
def replace_file(path: Path) -> Iterator[IO[bytes]]:
    """Provide a file to write, which replaces an older file once it is complete.

    An error within the block leaves the older file unchanged. Partial files of processes that were killed are
    removed. The mode is that of any new file, by the umask.
    Raises OSError that names the file.
    """
    _remove_leftovers(path)
    partial: Path | None = None
    try:
        with naming(path):
            with signals_deferred():
                partial, file = _create_partial(path)
            with file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                partial.replace(path)  # while the lock is held
    except BaseException:
        with signals_deferred():
            if partial is not None:
                partial.unlink(missing_ok=True)
        raise


def _create_partial(path: Path) -> tuple[Path, IO[bytes]]:
    """Create and lock a file next to `path`."""
    while True:
        partial = path.with_name(f".{path.name}.partial-{token_hex(4)}")
        file = partial.open("xb")
        try:
            lock = _lock(file.fileno())
            if lock is _Lock.MISSING or (lock is _Lock.OURS and partial.exists()):
                return partial, file
        except BaseException:
            file.close()
            partial.unlink(missing_ok=True)
            raise
        file.close()  # another writer took the file for a leftover before it was locked, and removes it


class _Lock(Enum):
    """Who has the lock of a file; MISSING: its file system has no locks."""

    OURS = auto()
    OTHERS = auto()
    MISSING = auto()


def _lock(descriptor: int) -> _Lock:
    """Lock an open file without waiting."""
    if fcntl is None:
        return _Lock.MISSING
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return _Lock.OTHERS if error.errno in BUSY else _Lock.MISSING
    return _Lock.OURS


def _remove_leftovers(path: Path) -> None:
    """Remove partial files of `path` that no process holds."""
    prefix = f".{path.name}.partial-"
    with suppress(OSError):
        names = [name for name in os.listdir(path.parent) if name.startswith(prefix)]  # noqa: PTH208  # names
        for name in names:
            descriptor = os.open(path.with_name(name), os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
            try:
                if _lock(descriptor) is _Lock.OURS:
                    path.with_name(name).unlink(missing_ok=True)
            finally:
                os.close(descriptor)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an OSError of the block, such as that of a full disk, name a file."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = os.fspath(path)
        raise


def write_file(path: Path, data: bytes) -> None:
    """Write a new file and flush it to disk."""
    with naming(path), path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
