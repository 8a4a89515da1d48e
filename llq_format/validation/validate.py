"""All findings of a package (spec: Validation)."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from llq_format.format.layout import is_int4
from llq_format.metadata.findings import Finding, LLQError, Place
from llq_format.metadata.metadata import MAX_BYTES, FileEntry, Metadata, Part, TensorEntry
from llq_format.validation.execution import check_execution
from llq_format.validation.hashes import Progress, check_file_hash, check_part_hash
from llq_format.validation.model import check_model
from llq_format.validation.package_files import PackageFile, check_file, package_directory, read_metadata
from llq_format.validation.parts import can_be_tiled, check_parts
from llq_format.validation.payload import RawValues, check_blocks
from llq_format.validation.shards import check_part_layout, check_preamble
from llq_format.validation.tensors import check_tensors
from llq_format.validation.text import check_text

_ABOUT_FILES = frozenset({"LLQ-PKG-6", "LLQ-PKG-7", "LLQ-PKG-8", "LLQ-PKG-9", "LLQ-HASH-2"})


def validate(
    path: str | os.PathLike[str],
    progress: Progress | None = None,
    on_total: Callable[[int, str], None] | None = None,
) -> list[Finding]:
    """Return every finding of the package at `path`, in order; the package is valid if none is an error.

    path: a package's directory, its metadata.json or its .wgsl module.
    progress: called with numbers of bytes as files are hashed, from other threads.
    on_total: called with the number of bytes to be hashed and the stem before the first is.
    Raises OSError only if the system refuses to read (permissions, a failing disk).
    """
    directory = package_directory(path)
    metadata, findings = _check_index_of(directory)
    if metadata is not None:
        findings += _contents(metadata, directory, findings, progress, on_total)
        findings += check_execution(metadata, directory, _broken_files(findings))
    return sorted(findings, key=lambda finding: finding.order)


def validate_index(path: str | os.PathLike[str]) -> list[Finding]:
    """Return the findings of metadata.json, and of the files that it lists without their contents, in order.

    path: as for `validate`. Raises OSError only if the system refuses to read.
    """
    _, findings = _check_index_of(package_directory(path))
    return sorted(findings, key=lambda finding: finding.order)


def _check_index_of(directory: Path) -> tuple[Metadata | None, list[Finding]]:
    """Return metadata.json, or None if its text breaks a rule, and the findings before contents are read."""
    try:
        metadata, findings = check_text(read_metadata(directory, MAX_BYTES))
    except LLQError as error:
        return None, [error.finding]
    if metadata is not None:
        findings += check_index(metadata)
        findings += check_directory(metadata, directory)
    return metadata, findings


def check_index(metadata: Metadata) -> list[Finding]:
    """Return the findings of stages `model`, `tensors` and `parts`."""
    of_model = list(check_model(metadata))
    affine = any(finding.rule.startswith("LLQ-AFFINE-") for finding in of_model)
    of_tensors = [] if affine else check_tensors(metadata)  # the extension states which tensors there are
    return [*of_model, *of_tensors, *check_parts(metadata)]


def check_directory(metadata: Metadata, directory: Path) -> list[Finding]:
    """Return the findings of stage `files`."""
    findings: list[Finding] = []
    for entry in metadata.files:
        findings += check_file(directory, entry.file, entry.byte_length)
    listed_files = {entry.file for entry in metadata.files}
    for name in sorted(os.listdir(directory)):  # noqa: PTH208  # names are needed, not paths
        if name.lower().endswith(".llq") and name not in listed_files:
            findings.append(Finding("stray-shard", Place(file=ascii(name)[1:-1])))
    if metadata.model is not None and metadata.tokenizer is None:
        findings.append(Finding("tokenizer-missing", Place(pointer="")))
    return findings


def check_part(metadata: Metadata, tensor: TensorEntry, part: Part, file: PackageFile) -> Iterator[Finding]:
    """Yield the findings of stages `shards`, `hashes` and `payload` in one part."""
    yield from check_part_layout(tensor, part, file)
    if is_int4(tensor.dtype):
        yield from check_part_hash(tensor, part, file)
        yield from check_blocks(tensor, part, file)
    else:
        values = RawValues(metadata, tensor, part)
        yield from check_part_hash(tensor, part, file, values.see)
        yield from values.findings(file)


def _contents(
    metadata: Metadata,
    directory: Path,
    earlier: list[Finding],
    progress: Progress | None,
    on_total: Callable[[int, str], None] | None,
) -> list[Finding]:
    """Return the findings inside files, as far as earlier findings allow.

    A file is hashed in one thread and its parts in another, so that hashing every byte twice takes no longer
    than hashing it once.
    """
    broken_files = _broken_files(earlier)
    broken_tensors = {
        finding.where.tensor for finding in earlier if finding.entry.stage in ("tensors", "parts")
    }
    parts_by_shard: dict[str, list[tuple[TensorEntry, Part]]] = {shard.file: [] for shard in metadata.shards}
    tiled = can_be_tiled(metadata, earlier)
    for tensor in metadata.tensors:
        if tiled and tensor.name not in broken_tensors:
            for part in tensor.parts:
                parts_by_shard[metadata.shards[part.shard].file].append((tensor, part))
    if on_total is not None:
        sizes = (entry.byte_length for entry in metadata.files if entry.file not in broken_files)
        on_total(sum(sizes), metadata.stem)
    pool = ThreadPoolExecutor(max_workers=2)
    try:
        running = []
        for index, entry in enumerate(metadata.files):
            if entry.file in broken_files:
                continue
            if index < len(metadata.shards):  # the longer task first, so that the threads end together
                parts = parts_by_shard[entry.file]
                running.append(pool.submit(_shard_findings, metadata, directory, index, parts))
            running.append(pool.submit(_file_findings, directory, entry, progress))
        return [finding for future in running for finding in future.result()]
    finally:
        pool.shutdown(cancel_futures=True)  # an interrupted validation ends with the current files


def _broken_files(findings: list[Finding]) -> set[str | None]:
    """Return the names of missing or unsuitable files, whose content is not checked."""
    return {finding.where.file for finding in findings if finding.rule in _ABOUT_FILES}


def _file_findings(directory: Path, entry: FileEntry, progress: Progress | None) -> list[Finding]:
    try:
        with PackageFile(directory / entry.file) as file:
            return list(check_file_hash(entry, file, progress))
    except LLQError as error:
        return [error.finding]


def _shard_findings(
    metadata: Metadata, directory: Path, index: int, parts: list[tuple[TensorEntry, Part]]
) -> list[Finding]:
    findings: list[Finding] = []
    try:
        with PackageFile(directory / metadata.shards[index].file) as file:
            findings += check_preamble(metadata, index, file)
            for tensor, part in parts:
                findings += check_part(metadata, tensor, part, file)
    except LLQError as error:
        findings.append(error.finding)
    return findings
