"""The bytes of a shard as far as they go: a missing or cut file gives fewer, never an error."""

from pathlib import Path

from llq_format.metadata.metadata import FileEntry
from llq_format.validation.package_files import PackageFile


class ShardBytes:
    """A shard that may be damaged; `problem` says in words what is wrong with the file, if anything."""

    def __init__(self, directory: Path, entry: FileEntry) -> None:
        self.name = entry.file
        self.problem: str | None = None
        self._file: PackageFile | None = None
        try:
            self._file = PackageFile(directory / entry.file)
        except OSError as error:
            self.problem = f"cannot be read: {error.strerror or error}"
            return
        if self._file.byte_length != entry.byte_length:
            self.problem = f"is {self._file.byte_length:,} bytes long, not {entry.byte_length:,}"

    def read(self, offset: int, size: int) -> bytes:
        """Return the bytes from `offset` on, fewer than `size` where the file ends before."""
        if self._file is None:
            return b""
        available = max(0, min(size, self._file.byte_length - offset))
        return self._file.read(offset, available) if available else b""
