"""The files of a package, opened safely (spec: Package, Files; rules LLQ-PKG-1, LLQ-PKG-6 to LLQ-PKG-9)."""

import mmap
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from llq_format.metadata.findings import Finding, Place, fail
from llq_format.metadata.metadata import FILE_NAME

CHUNK_BYTES = 1 << 18  # read at a time: fits a second-level cache, whatever the file's size


def package_directory(path: str | os.PathLike[str]) -> Path:
    """Return the directory that a path names: the directory itself, or its metadata.json or .wgsl module."""
    named = Path(path)
    if not named.is_dir() and (named.name == FILE_NAME or named.suffix == ".wgsl"):
        return named.parent
    return named


def kind_of(mode: int) -> str:
    """Return in words what a file mode stands for."""
    kinds = (
        (stat.S_ISREG, "a regular file"),
        (stat.S_ISLNK, "a symbolic link"),
        (stat.S_ISDIR, "a directory"),
        (stat.S_ISFIFO, "a FIFO"),
        (stat.S_ISSOCK, "a socket"),
    )
    return next((words for is_kind, words in kinds if is_kind(mode)), "a device")


FileIdentity = tuple[int, int, int, int]
"""What tells a file and its content, as far as the system knows: device, number, length, time of change."""


class PackageFile:
    """A regular file of known length, read by position; never a link, FIFO or device."""

    def __init__(self, path: Path) -> None:
        """Open the file. Raises OSError if it is missing, no regular file, or a symbolic link."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        self.name = path.name
        self._descriptor = os.open(path, flags)
        status = os.fstat(self._descriptor)
        self.byte_length = status.st_size
        self.identity: FileIdentity = (
            status.st_dev,
            status.st_ino,
            status.st_size,
            status.st_mtime_ns,
        )
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise OSError(f"{path.name} is {kind_of(status.st_mode)}, not a regular file")

    def read(self, offset: int, size: int) -> bytes:
        """Return `size` bytes from `offset` on. Raises LLQError (LLQ-PKG-8) if the file ends before."""
        data = bytearray(size)
        self.read_into(memoryview(data), offset)
        return bytes(data)

    def chunks(self, offset: int, size: int) -> Iterator[memoryview]:
        """Yield the bytes from `offset` on in bounded pieces, `size` in all; each is gone with the next."""
        buffer = memoryview(bytearray(min(CHUNK_BYTES, size)))
        for start in range(offset, offset + size, CHUNK_BYTES):
            piece = buffer[: min(CHUNK_BYTES, offset + size - start)]
            self.read_into(piece, start)
            yield piece

    def map(self) -> mmap.mmap:
        """Return the file mapped for reading; the mapping outlives the file's being closed."""
        return mmap.mmap(self._descriptor, self.byte_length, access=mmap.ACCESS_READ)

    def read_into(self, into: memoryview, offset: int) -> None:
        """Fill a buffer with the bytes from `offset` on. Raises LLQError (LLQ-PKG-8) if the file ends."""
        done = 0
        while done < len(into):
            count = os.preadv(self._descriptor, [into[done:]], offset + done)
            if count == 0:
                place = Place(file=self.name, offset=offset + done)
                raise fail("LLQ-PKG-8", place, "the end of the file", f"{len(into) - done} more bytes")
            done += count

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
        return [Finding("LLQ-PKG-6", place, "no such file", "a regular file")]
    if not stat.S_ISREG(status.st_mode):
        return [Finding("LLQ-PKG-7", place, kind_of(status.st_mode), "a regular file")]
    if byte_length is not None and status.st_size != byte_length:
        return [Finding("LLQ-PKG-8", place, f"{status.st_size} bytes", f"{byte_length} bytes")]
    return []


def read_metadata(directory: Path, max_bytes: int) -> bytes:
    """Return the bytes of metadata.json. Raises LLQError for LLQ-PKG-1 and LLQ-PKG-2."""
    place = Place(file=FILE_NAME)
    problem = check_file(directory, FILE_NAME) if directory.is_dir() else None
    if problem is None:
        what = "no such directory" if not directory.exists() else "no directory"
        raise fail("LLQ-PKG-1", place, what, f"a directory that holds {FILE_NAME}")
    if problem:
        raise fail("LLQ-PKG-1", place, problem[0].found, problem[0].expected)
    with PackageFile(directory / FILE_NAME) as file:
        if not 2 <= file.byte_length <= max_bytes:
            raise fail("LLQ-PKG-2", place, f"{file.byte_length} bytes", f"2 to {max_bytes} bytes")
        return file.read(0, file.byte_length)
