"""A lock file that at most one process holds: flock, or the id of a living process where flock fails."""

import errno
import os
import socket
from contextlib import suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment]

BUSY = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}


class LockedError(OSError):
    """Another process holds the lock."""


def lock(path: Path) -> int:
    """Create the lock file if it does not exist, lock it, and return its descriptor, open for writing.

    The file holds the id of the process and the name of its host. The system frees the lock of a process that
    ends. Raises LockedError, or OSError: FileNotFoundError if the directory does not exist.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            if _take(descriptor) and _is_at(path, descriptor):
                _sign(path, descriptor)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # another process removed the file in the meantime


def _sign(path: Path, descriptor: int) -> None:
    """Write the owner into a locked file; remove the file if it cannot be written."""
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode(), 0)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = os.fspath(path)
        raise


def _take(descriptor: int) -> bool:
    """Lock an open file. Raises LockedError if another process holds it."""
    if fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in BUSY:
                raise LockedError(owner(descriptor)) from None
        else:
            return True
    if _lives(owner(descriptor)):  # a file system without flock
        raise LockedError(owner(descriptor))
    return True


def owner(descriptor: int) -> str:
    """Return what an open lock file says of its owner: `PID HOST`, or an empty string."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.read(descriptor, 300).decode("utf-8", "replace").strip()


def _lives(text: str) -> bool:
    """Return whether `PID HOST` denotes another process that may still run."""
    number, _, host = text.partition(" ")
    if not number.isdecimal() or int(number) == os.getpid():
        return False
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _is_at(path: Path, descriptor: int) -> bool:
    """Return whether an open file still has its name."""
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    return False
