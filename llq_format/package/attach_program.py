"""A new module and a new program for an existing package; the bytes of its shards do not change."""

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from llq_format.files.file_replacement import write_file
from llq_format.files.posix_only import require_posix
from llq_format.files.work_directory import WorkDirectory, sync_directory
from llq_format.metadata.findings import Finding, LLQError
from llq_format.metadata.metadata import FILE_NAME, MAX_BYTES, FileEntry, Metadata
from llq_format.validation.model import module_name
from llq_format.validation.package_files import package_directory, read_metadata
from llq_format.validation.text import check_text
from llq_format.validation.validate import check_directory, check_index

PROGRAM_NAME = "program.json"


def attach(
    path: str | os.PathLike[str],
    module: bytes | Callable[[Metadata], bytes],
    program: Callable[[Metadata], bytes],
) -> Metadata:
    """Replace or add the module and the program of the package at `path`.

    A new directory with links to all other files replaces the old directory when it is complete
    (LLQ-WRITE-2). The old module and program may be missing or damaged.
    module: the WGSL module, or what returns it for the metadata.
    program: returns program.json for the metadata.
    Raises LLQError with the first error of the package, FileExistsError where the directory holds directories
    or is a symbolic link.
    """
    require_posix()
    directory = Path(os.path.abspath(package_directory(path)))  # noqa: PTH100  # keeps symbolic links
    read_metadata(directory, MAX_BYTES)  # a path that is not a package gets no work directory
    if directory.is_symlink() or any(entry.is_dir() for entry in directory.iterdir()):
        raise FileExistsError(f"{directory} is a link or contains directories, and will not be replaced")
    with WorkDirectory(directory) as work:
        metadata, findings = check_text(read_metadata(directory, MAX_BYTES))
        _raise_first(findings)
        assert metadata is not None  # noqa: S101  # without findings there is metadata
        bare = replace(metadata, module=None, program=None)
        _raise_first([*check_index(bare), *check_directory(bare, directory)])
        module_text = module if isinstance(module, bytes) else module(bare)
        files = {module_name(metadata.stem): module_text, PROGRAM_NAME: program(bare)}
        entries = [
            FileEntry(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items()
        ]
        sealed = replace(metadata, module=entries[0], program=entries[1]).sealed()
        _fill(work.new, directory, {**files, FILE_NAME: sealed.to_bytes()})
        work.put_in_place(overwrite=True)
    return sealed


def _fill(new: Path, directory: Path, files: dict[str, bytes]) -> None:
    """Write files and link all other files of a directory."""
    for entry in directory.iterdir():
        if entry.name not in files:
            _link(entry, new / entry.name)
    for name, data in files.items():
        write_file(new / name, data)
    shutil.copymode(directory, new)
    sync_directory(new)


def _link(source: Path, target: Path) -> None:
    """Link a file, or copy it if the file system does not support links."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def _raise_first(findings: list[Finding]) -> None:
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        raise LLQError(min(errors, key=lambda finding: finding.order))
