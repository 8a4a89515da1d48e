"""The bytes of a shard; a missing or truncated file returns fewer bytes, never an error."""

from pathlib import Path

from llq_format.metadata.metadata import FileEntry
from llq_format.validation.package_files import PackageFile


class ShardBytes:
    """A shard that may be damaged; `problem` describes the problem of the file, if any."""

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
            self.problem = f"is {self._file.byte_length:,} bytes long; expected {entry.byte_length:,}"

    def read(self, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from `offset`, fewer if the file ends."""
        if self._file is None:
            return b""
        available = max(0, min(size, self._file.byte_length - offset))
        return self._file.read(offset, available) if available else b""
