"""The exchange of two names in one step, where the system has it: renameat2 of Linux, renamex_np of macOS."""

import ctypes
import errno
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = _RENAME_SWAP = 2
_NOT_SUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP}


def exchange(first: Path, second: Path) -> bool:
    """Exchange the names of two directories; return False if the system or the file system cannot.

    Raises OSError for every other failure.
    """
    call = _system_call()
    if call is None:
        return False
    if call(os.fsencode(first), os.fsencode(second)) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NOT_SUPPORTED:
        return False
    raise OSError(code, os.strerror(code), os.fspath(second))


@cache
def _system_call() -> Callable[[bytes, bytes], int] | None:
    """Return a function of two paths that gives 0 or sets errno, or None."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
    except (OSError, TypeError):
        return None
    if hasattr(library, "renameat2"):
        return lambda first, second: int(
            library.renameat2(_AT_FDCWD, first, _AT_FDCWD, second, _RENAME_EXCHANGE)
        )
    if hasattr(library, "renamex_np"):
        return lambda first, second: int(library.renamex_np(first, second, _RENAME_SWAP))
    return None
