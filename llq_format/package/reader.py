"""The reader: `open` checks the index; tensors are checked and decoded at their first use."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from llq_format.format.dequantize import dequantize
from llq_format.format.layout import BLOCK_BYTES, is_int4
from llq_format.format.quantize import PackedTensor
from llq_format.format.sections import sections
from llq_format.metadata.findings import Finding, LLQError
from llq_format.metadata.metadata import MAX_BYTES, FileEntry, Metadata, Part, TensorEntry
from llq_format.validation.hashes import check_file_hash
from llq_format.validation.package_files import FileIdentity, PackageFile, package_directory, read_metadata
from llq_format.validation.shards import check_preamble
from llq_format.validation.text import check_text
from llq_format.validation.validate import check_directory, check_index, check_part


class Package:
    """A package opened for reading, created by `open`. Use it as a context manager or call `close`."""

    def __init__(self, directory: Path, metadata: Metadata, data: bytes) -> None:
        """Store the checked metadata."""
        self.directory = directory
        self.metadata = metadata
        self.metadata_bytes = data
        self._entries = {tensor.name: tensor for tensor in metadata.tensors}
        self._checked: dict[tuple[str, int], FileIdentity] = {}  # by tensor and first row of a part

    def keys(self) -> list[str]:
        """Return the names of the tensors, in canonical order."""
        return list(self._entries)

    def __contains__(self, name: object) -> bool:
        """Return whether the package has a tensor with a name."""
        return name in self._entries

    def __len__(self) -> int:
        """Return the number of tensors."""
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the tensors, in canonical order."""
        return iter(self._entries)

    def entry(self, name: str) -> TensorEntry:
        """Return the metadata of a tensor. Raises KeyError for an unknown name."""
        if name not in self._entries:
            raise KeyError(
                f"no tensor {name!r}; the package has {len(self._entries)}, such as {next(iter(self))!r}"
            )
        return self._entries[name]

    def get_tensor(self, name: str) -> NDArray[np.float32]:
        """Return a tensor as float32 [rows, cols] or [rows], decoded exactly.

        Raises KeyError for an unknown name, LLQError if a byte of it breaks a rule (LLQ-READ-4).
        """
        entry = self.entry(name)
        out = np.empty((entry.rows, entry.cols), np.float32)
        for part in entry.parts:
            rows = out[part.first_row : part.first_row + part.num_rows]
            sections_ = self._sections(entry, part)
            if is_int4(entry.dtype):
                scales, zero_points, packed = _block_arrays(sections_)
                dequantize(scales, zero_points, packed, (part.num_rows, entry.cols), out=rows)
            else:
                rows[...] = sections_["data"].reshape(rows.shape)
        return out.reshape(entry.shape)

    def get_packed(self, name: str) -> PackedTensor:
        """Return an INT4 tensor as stored; its arrays cannot be written to where it has one part.

        Raises KeyError for an unknown name, TypeError for a raw tensor, LLQError if a byte breaks a rule.
        """
        entry = self.entry(name)
        if not is_int4(entry.dtype):
            raise TypeError(f"tensor {name!r} is a raw tensor ({entry.dtype}): use get_tensor")
        parts = [_block_arrays(self._sections(entry, part)) for part in entry.parts]
        if len(parts) == 1:
            scales, zero_points, packed = parts[0]
        else:
            scales = np.concatenate([s for s, _, _ in parts])
            zeros = [z for _, z, _ in parts if z is not None]
            zero_points = np.concatenate(zeros) if zeros else None
            packed = np.concatenate([p for _, _, p in parts])
        return PackedTensor((entry.rows, entry.cols), scales, zero_points, packed)

    def read_file(self, entry: FileEntry) -> bytes:
        """Return the bytes of a file of the package. Raises LLQError if its hash is wrong."""
        with PackageFile(self.directory / entry.file) as file:
            _raise_first(list(check_file_hash(entry, file)))
            return file.read(0, entry.byte_length)

    def check_part(self, entry: TensorEntry, part: Part) -> None:
        """Raise LLQError if a byte of a part breaks a rule (LLQ-READ-4); a part is checked once."""
        with PackageFile(self.directory / self.metadata.shards[part.shard].file) as file:
            self._check(entry, part, file)

    def close(self) -> None:
        """Forget which parts were checked; arrays stay valid."""
        self._checked.clear()

    def __enter__(self) -> Self:
        """Return the package."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the package."""
        self.close()

    def _sections(self, entry: TensorEntry, part: Part) -> dict[str, NDArray[Any]]:
        """Return the items of a part's sections by name, as views of the part, which is read whole.

        A mapping of a shard that becomes shorter would end the process. Every byte is checked once: a shard
        that is replaced or rewritten while the package is open is checked again. Raises LLQError with the
        first error, OSError for a shard that changes while it is read.
        """
        with PackageFile(self.directory / self.metadata.shards[part.shard].file) as file:
            self._check(entry, part, file)
            data = np.empty(part.byte_length, np.uint8)
            file.read_into(data.data, part.offset)
            file.check_unchanged()
        data.flags.writeable = False
        return {
            section.name: data[section.offset :][: section.size].view(section.dtype)
            for section in sections(entry.dtype, part.num_rows, entry.cols)
        }

    def _check(self, entry: TensorEntry, part: Part, file: PackageFile) -> None:
        key = (entry.name, part.first_row)
        if self._checked.get(key) != file.identity:
            findings = check_preamble(self.metadata, part.shard, file)
            _raise_first([*findings, *check_part(self.metadata, entry, part, file)])
            self._checked[key] = file.identity


def _block_arrays(
    sections_: dict[str, NDArray[Any]],
) -> tuple[NDArray[np.float16], NDArray[np.int8] | None, NDArray[np.uint8]]:
    """Return scales float16 [n], zero points int8 [n] or None, packed uint8 [n, 2048] of a record."""
    return sections_["scale"], sections_.get("zero_point"), sections_["packed"].reshape(-1, BLOCK_BYTES)


def _raise_first(findings: list[Finding]) -> None:
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        raise LLQError(min(errors, key=lambda finding: finding.order))


def open(path: str | os.PathLike[str]) -> Package:  # noqa: A001  # the name that readers of formats have
    """Open the package at `path`: a directory, its metadata.json or its .wgsl module.

    Checks all stages up to `files`; the bytes of a tensor are checked at its first use.
    Raises LLQError with the first error.
    """
    directory = package_directory(path)
    data = read_metadata(directory, MAX_BYTES)
    metadata, findings = check_text(data)
    _raise_first(findings)
    assert metadata is not None  # noqa: S101  # no finding, so there is metadata
    _raise_first(check_index(metadata))
    _raise_first(check_directory(metadata, directory))
    return Package(directory, metadata, data)
