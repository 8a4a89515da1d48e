"""The files of a package, opened safely (spec: Package, Files; rules LLQ-PKG-1, LLQ-PKG-6 to LLQ-PKG-9)."""

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from llq_format.files.work_directory import recover
from llq_format.metadata.findings import Finding, LLQError, Place, fail
from llq_format.metadata.metadata import FILE_NAME

MIN_METADATA_BYTES = 2
CHUNK_BYTES = 1 << 18  # bytes to read at a time: fits into a second-level cache

_NO_FOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
_FLAGS: int = (
    os.O_RDONLY
    | _NO_FOLLOW
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
"""Flags of files of packages; Windows has only the last."""

_PREADV: Any = getattr(os, "preadv", None)


def package_directory(path: str | os.PathLike[str]) -> Path:
    """Return the directory that a path names: the directory itself, or its metadata.json or .wgsl module.

    An interrupted replacement of the directory is finished.
    """
    candidate = Path(path)
    if not candidate.is_dir() and (candidate.name == FILE_NAME or candidate.suffix == ".wgsl"):
        candidate = candidate.parent
    if not candidate.exists():
        recover(Path(os.path.abspath(candidate)))  # noqa: PTH100  # keeps symbolic links
    return candidate


def kind_of(mode: int) -> str:
    """Return the kind of file that a mode denotes, in words."""
    kinds = (
        (stat.S_ISREG, "regular file"),
        (stat.S_ISLNK, "symbolic link"),
        (stat.S_ISDIR, "directory"),
        (stat.S_ISFIFO, "FIFO"),
        (stat.S_ISSOCK, "socket"),
    )
    return next((words for is_kind, words in kinds if is_kind(mode)), "device")


FileIdentity = tuple[int, int, int, int]
"""The identity of a file and its content: device, inode, length and times of change."""


def _identity(status: os.stat_result) -> FileIdentity:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


class PackageFile:
    """A regular file of known length, read by position; never a link, FIFO or device."""

    def __init__(self, path: Path) -> None:
        """Open the file. Raises OSError if it is missing, not a regular file, or a symbolic link."""
        self.name = path.name
        if _NO_FOLLOW == 0 and path.is_symlink():
            raise OSError(f"{path.name} is a symbolic link, not a regular file")
        self._descriptor = os.open(path, _FLAGS)
        self._lock = threading.Lock()
        status = os.fstat(self._descriptor)
        self.byte_length = status.st_size
        self.identity = _identity(status)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise OSError(f"{path.name} is a {kind_of(status.st_mode)}, not a regular file")

    def read(self, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset`. Raises LLQError (LLQ-PKG-8) if the file ends before."""
        data = bytearray(size)
        self.read_into(memoryview(data), offset)
        return bytes(data)

    def chunks(self, offset: int, size: int) -> Iterator[memoryview]:
        """Yield `size` bytes from `offset` in bounded pieces; each piece is valid until the next."""
        buffer = memoryview(bytearray(min(CHUNK_BYTES, size)))
        for start in range(offset, offset + size, CHUNK_BYTES):
            piece = buffer[: min(CHUNK_BYTES, offset + size - start)]
            self.read_into(piece, start)
            yield piece

    def check_unchanged(self) -> None:
        """Raise OSError if the file changed since it was opened."""
        if _identity(os.fstat(self._descriptor)) != self.identity:
            raise OSError(f"{self.name} changed while it was read: read it again")

    def read_into(self, into: memoryview, offset: int) -> None:
        """Fill a buffer with the bytes from `offset`. Raises LLQError (LLQ-PKG-8) if the file ends."""
        position = 0
        while position < len(into):
            count = self._read_some(into[position:], offset + position)
            if count == 0:
                place = Place(file=self.name, offset=offset + position)
                raise fail("file-ends-early", place, {"missing": len(into) - position})
            position += count

    def _read_some(self, into: memoryview, offset: int) -> int:
        if _PREADV is not None:
            count: int = _PREADV(self._descriptor, [into], offset)
            return count
        with self._lock:  # Windows reads at the position of the descriptor, which threads share
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            data = os.read(self._descriptor, len(into))
        into[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        """Return the file, to be closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()


def check_file(directory: Path, name: str, byte_length: int | None = None) -> list[Finding]:
    """Return the first of LLQ-PKG-6 to LLQ-PKG-8 that a named file breaks, if any."""
    place = Place(file=name)
    try:
        status = (directory / name).lstat()
    except FileNotFoundError:
        return [Finding("file-missing", place)]
    if not stat.S_ISREG(status.st_mode):
        return [Finding("file-not-regular", place, {"kind": kind_of(status.st_mode)})]
    return [] if byte_length is None else check_byte_length(name, status.st_size, byte_length)


def check_byte_length(name: str, byte_length: int, expected: int) -> list[Finding]:
    """Return the finding of a named file that is shorter or longer than expected (LLQ-PKG-8), if any."""
    if byte_length == expected:
        return []
    code = "file-too-short" if byte_length < expected else "file-too-long"
    return [Finding(code, Place(file=name), {"byte_length": byte_length, "expected": expected})]


def metadata_size(byte_length: int, max_bytes: int) -> LLQError:
    """Return the error of a metadata.json of the wrong size (LLQ-PKG-2)."""
    values = {"byte_length": byte_length, "minimum": MIN_METADATA_BYTES, "maximum": max_bytes}
    return fail("metadata-size", Place(file=FILE_NAME), values)


def read_metadata(directory: Path, max_bytes: int) -> bytes:
    """Return the bytes of metadata.json. Raises LLQError for LLQ-PKG-1 and LLQ-PKG-2."""
    place = Place(file=FILE_NAME)
    if not directory.is_dir():
        raise fail("path-not-a-directory" if directory.exists() else "directory-missing", place)
    for finding in check_file(directory, FILE_NAME):
        code = {"file-missing": "metadata-missing", "file-not-regular": "metadata-not-regular"}[finding.code]
        raise fail(code, place, finding.values)
    with PackageFile(directory / FILE_NAME) as file:
        if not MIN_METADATA_BYTES <= file.byte_length <= max_bytes:
            raise metadata_size(file.byte_length, max_bytes)
        return file.read(0, file.byte_length)
