"""Packages whose files are symbolic links within one directory, as in caches of the Hugging Face hub."""

import os
import stat
from pathlib import Path

from llq_format.metadata.findings import Finding, LLQError, Place, fail
from llq_format.metadata.metadata import FILE_NAME, MAX_BYTES, Metadata
from llq_format.validation.package_files import (
    MIN_METADATA_BYTES,
    PackageFile,
    check_byte_length,
    kind_of,
    metadata_size,
)
from llq_format.validation.text import check_text
from llq_format.validation.validate import check_index


class Links:
    """Symbolic links that may be followed: those that end within a root."""

    def __init__(self, root: Path) -> None:
        """Keep the root. Raises ValueError if it is not a directory."""
        self.root = Path(os.path.realpath(root))
        if not self.root.is_dir():
            raise ValueError(f"--follow-links {root} is not a directory")

    def resolved(self, path: Path) -> Path:
        """Return the regular file to which a path leads.

        Raises FileNotFoundError if there is none, and ValueError if it is outside the root or not regular.
        """
        try:
            target = path.resolve(strict=True)
        except RuntimeError as error:  # before Python 3.13, of links that form a circle
            raise FileNotFoundError(path) from error
        if not target.is_relative_to(self.root):
            raise ValueError(
                f"{path.name} leads out of {self.root}: "
                "pass a directory that contains its target to --follow-links"
            )
        mode = target.stat().st_mode
        if not stat.S_ISREG(mode):
            raise ValueError(f"{path.name} leads to a {kind_of(mode)}, not to a regular file")
        return target

    def metadata(self, directory: Path) -> Metadata:
        """Return the metadata of a package, checked like those of a package without links.

        Raises LLQError, or ValueError for a link that may not be followed.
        """
        metadata, findings = check_text(self._metadata_bytes(directory))
        _raise_first(findings)
        assert metadata is not None  # noqa: S101  # no finding, so there is metadata
        _raise_first(check_index(metadata))
        for entry in metadata.files:
            size = self._file(directory, entry.file, "file-missing").stat().st_size
            _raise_first(check_byte_length(entry.file, size, entry.byte_length))
        return metadata

    def _metadata_bytes(self, directory: Path) -> bytes:
        with PackageFile(self._file(directory, FILE_NAME, "metadata-missing")) as file:
            if not MIN_METADATA_BYTES <= file.byte_length <= MAX_BYTES:
                raise metadata_size(file.byte_length, MAX_BYTES)
            return file.read(0, file.byte_length)

    def _file(self, directory: Path, name: str, code: str) -> Path:
        """Return a file of the package; `code` is that of the finding if the file is missing."""
        try:
            return self.resolved(directory / name)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise fail(code, Place(file=name)) from error


def _raise_first(findings: list[Finding]) -> None:
    if findings:
        raise LLQError(findings[0])
