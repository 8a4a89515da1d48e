"""A limit on the size of files, which simulates a full disk."""

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
    """Limit the size of files that this process and its new children write, in bytes."""
    if most is None or resource is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
