"""A limit of the size of files: what is beyond it cannot be written, as on a disk that is full."""

from collections.abc import Iterator
from contextlib import contextmanager

try:
    import resource
except ImportError:  # not a POSIX system
    resource = None  # type: ignore[assignment]


def available() -> bool:
    """Return whether this system can limit the size of files."""
    return resource is not None


@contextmanager
def limited(most: int | None) -> Iterator[None]:
    """Let no file that this process, or one started meanwhile, writes become longer than so many bytes."""
    if most is None or resource is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
