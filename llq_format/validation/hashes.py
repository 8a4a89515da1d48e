"""Stage `hashes`: SHA-256 of parts and of files (rules LLQ-HASH-1 and LLQ-HASH-2)."""

import hashlib
from collections.abc import Callable, Iterator

from llq_format.metadata.findings import Finding, Place
from llq_format.metadata.metadata import FileEntry, Part, TensorEntry
from llq_format.validation.package_files import PackageFile

Progress = Callable[[int], None]
"""Called with the number of bytes just read."""


def check_part_hash(
    tensor: TensorEntry, part: Part, file: PackageFile, see: Callable[[memoryview], None] | None = None
) -> Iterator[Finding]:
    """Yield a finding if the hash of a part differs from the metadata.

    `see` receives every piece of the part, so that the part is read once.
    """
    sha256 = _sha256(file, part.offset, part.byte_length, see)
    if sha256 != part.sha256:
        place = Place(file=file.name, offset=part.offset, tensor=tensor.name)
        yield Finding("part-hash-mismatch", place, {"sha256": sha256, "expected": part.sha256})


def check_file_hash(
    entry: FileEntry, file: PackageFile, progress: Progress | None = None
) -> Iterator[Finding]:
    """Yield a finding if the hash of a file differs from the metadata."""
    see = None if progress is None else lambda piece: progress(len(piece))
    sha256 = _sha256(file, 0, entry.byte_length, see)
    if sha256 != entry.sha256:
        values = {"sha256": sha256, "expected": entry.sha256}
        yield Finding("file-hash-mismatch", Place(file=file.name), values)


def _sha256(
    file: PackageFile, offset: int, size: int, see: Callable[[memoryview], None] | None = None
) -> str:
    digest = hashlib.sha256()
    for chunk in file.chunks(offset, size):
        digest.update(chunk)
        if see is not None:
            see(chunk)
    return digest.hexdigest()
