"""The work directory of a target: a hidden, locked directory next to it, in which its replacement is written.

    .NAME.partial/lock   locked while a process writes
    .NAME.partial/new    the directory that will be called NAME
    .NAME.partial/old    the earlier directory, between two renames on systems that cannot exchange names

The directory is its own journal. `new` is complete if `old` exists: then the replacement was interrupted
between the two renames, and `recover` finishes it. Everything else in a work directory without an owner is
garbage, which the next writer of the same target removes.
"""

import atexit
import logging
import os
import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from llq_format.files.deferred_signals import ignore_signals, signals_deferred
from llq_format.files.exchange import exchange
from llq_format.files.lock import LockedError, lock

_LOCK, _NEW, _OLD = "lock", "new", "old"
_open: set["WorkDirectory"] = set()
_log = logging.getLogger("llq_format")


def work_path(target: Path) -> Path:
    """Return the path of the work directory of a target."""
    return target.with_name(f".{target.name}.partial")


def sync_directory(path: Path) -> None:
    """Flush the entries of a directory to disk. Raises OSError that names it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        error.filename = os.fspath(path)
        raise
    finally:
        os.close(descriptor)


class WorkDirectory:
    """The work directory of a target, locked within a `with` block and removed at its end."""

    def __init__(self, target: Path) -> None:
        """Create nothing yet; `target` is an absolute path."""
        self.target = target
        self.path = work_path(target)
        self.new = self.path / _NEW
        self._descriptor: int | None = None
        self._process = os.getpid()

    def __enter__(self) -> Self:
        """Lock the directory, finish an interrupted replacement, remove other leftovers, create `new`.

        Raises BlockingIOError if another process writes to the target.
        """
        try:
            with signals_deferred():
                _open.add(self)
                self._lock()
                _finish(self.path, self.target)
                self._clear()
                self.new.mkdir(mode=0o700)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the directory and free the lock."""
        self.close()

    def put_in_place(self, *, overwrite: bool) -> None:
        """Give `new`, complete and flushed, the name of the target, in one step.

        Without `overwrite` the target must not exist, and FileExistsError is raised. An earlier directory is
        removed when the block ends.
        """
        with signals_deferred():
            if not os.path.lexists(self.target):
                os.rename(self.new, self.target)  # noqa: PTH104  # tests and shims see one name
                undo = self._rename_back
            elif not overwrite:
                raise FileExistsError(f"{self.target} already exists: it was created in the meantime")
            elif exchange(self.new, self.target):
                undo = self._exchange_back
            else:
                self._rename_twice()
                undo = self._rename_twice_back
            try:
                sync_directory(self.target.parent)
            except BaseException:
                undo()
                raise

    def close(self) -> None:
        """Remove the directory and free the lock; a second call has no effect."""
        with signals_deferred():
            if self._descriptor is not None:
                self._clear()
                with suppress(OSError):
                    (self.path / _LOCK).unlink()
                with suppress(OSError):  # another process may have created its lock just now
                    self.path.rmdir()
                os.close(self._descriptor)
                self._descriptor = None
            _open.discard(self)

    def _lock(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        while self._descriptor is None:
            try:
                self.path.mkdir(mode=0o700)
            except FileExistsError:
                if self.path.is_symlink() or not self.path.is_dir():
                    raise FileExistsError(
                        f"{self.path} is not a directory, but is needed to write {self.target}: remove it"
                    ) from None
            try:
                self._descriptor = lock(self.path / _LOCK)
            except LockedError as error:
                process = str(error).partition(" ")[0] or "unknown"
                raise BlockingIOError(
                    f"{self.target} is being written by another process ({process}): wait until it ends"
                ) from None
            except FileNotFoundError:  # another process removed the directory in the meantime
                continue
            except OSError:
                with suppress(OSError):
                    self.path.rmdir()
                raise

    def _clear(self) -> None:
        """Remove everything except the lock, and except an earlier directory that could not be put back."""
        if os.path.lexists(self.target) or not (self.path / _OLD).exists():
            for name in (_NEW, _OLD):
                shutil.rmtree(self.path / name, ignore_errors=True)

    def _rename_back(self) -> None:
        os.rename(self.target, self.new)  # noqa: PTH104

    def _exchange_back(self) -> None:
        exchange(self.new, self.target)

    def _rename_twice(self) -> None:
        """Rename the target to `old` and `new` to the target; put the target back if this fails."""
        old = self.path / _OLD
        sync_directory(self.path)
        os.rename(self.target, old)  # noqa: PTH104
        try:
            os.rename(self.new, self.target)  # noqa: PTH104
        except BaseException:
            os.rename(old, self.target)  # noqa: PTH104
            raise

    def _rename_twice_back(self) -> None:
        os.rename(self.target, self.new)  # noqa: PTH104
        os.rename(self.path / _OLD, self.target)  # noqa: PTH104


def recover(target: Path) -> None:
    """Finish an interrupted replacement of a target that does not exist, and report this.

    Has no effect if there is none, if a process is working on it, or if it cannot be written.
    """
    path = work_path(target)
    if os.path.lexists(target) or not (path / _OLD).is_dir():
        return
    with suppress(OSError):
        descriptor = lock(path / _LOCK)
        try:
            _finish(path, target)
        finally:
            os.close(descriptor)


def _finish(path: Path, target: Path) -> None:
    """Complete a replacement by two renames, if the earlier directory no longer has its name."""
    if os.path.lexists(target) or not (path / _OLD).is_dir():
        return
    complete = (path / _NEW).is_dir()
    os.rename(path / (_NEW if complete else _OLD), target)  # noqa: PTH104
    sync_directory(target.parent)
    action = "finished" if complete else "undid"
    _log.warning("llq: note: %s: %s the replacement that an earlier command began", target, action)


@atexit.register
def _close_all() -> None:
    """Remove what an interrupt at an unfortunate moment left open."""
    if _open:
        ignore_signals()
    for work in list(_open):
        if work._process == os.getpid():  # noqa: SLF001  # a forked process has its parent's directories
            work.close()
