"""Stage `program`: module and program of a package together (spec: WGSL module, Execution program)."""

from pathlib import Path
from typing import Any

from llq_format.metadata.findings import Finding, LLQError
from llq_format.metadata.metadata import FileEntry, Metadata
from llq_format.validation import module, program
from llq_format.validation.module import Section, check_module, module_size
from llq_format.validation.package_files import PackageFile
from llq_format.validation.program import check_program, check_program_text, program_size


def check_execution(metadata: Metadata, directory: Path, broken_files: set[str | None]) -> list[Finding]:
    """Return the findings of stage `program`.

    broken_files: names of files with findings of stages `files` and `hashes`, which are not read here.
    """
    entries = [entry for entry in (metadata.module, metadata.program) if entry is not None]
    if any(entry.file in broken_files for entry in entries):
        return []
    try:
        return _findings(metadata, directory)
    except LLQError as error:  # the file became shorter in the meantime
        return [error.finding]


def check_sizes(metadata: Metadata) -> list[Finding]:
    """Return the violations of limits on the lengths of both files, so that large files are not read."""
    findings = []
    if metadata.module is not None and metadata.module.byte_length > module.MAX_BYTES:
        findings.append(module_size(metadata.module.byte_length, metadata.module.file))
    if metadata.program is not None and metadata.program.byte_length > program.MAX_BYTES:
        findings.append(program_size(metadata.program.byte_length))
    return findings


def check_files(metadata: Metadata, module_data: bytes, program_data: bytes) -> tuple[Any, list[Finding]]:
    """Return the value of program.json, and the findings of stage `program` in the bytes of both files.

    The value satisfies the schema if there is no finding. metadata: has a model and a module.
    Raises ValueError otherwise.
    """
    if metadata.model is None or metadata.module is None:
        raise ValueError("a program requires a package with a model and a module")
    sections, findings = check_module(module_data, metadata.module.file)
    value, in_program = check_program_text(program_data)
    return value, findings + (in_program or _together(value, metadata, sections, findings))


def _findings(metadata: Metadata, directory: Path) -> list[Finding]:
    findings = check_sizes(metadata)
    if metadata.module is None or any(finding.rule == "LLQ-WGSL-1" for finding in findings):
        return findings
    module_data = _read(directory, metadata.module)
    if findings or metadata.program is None or metadata.model is None:
        return findings + check_module(module_data, metadata.module.file)[1]
    return check_files(metadata, module_data, _read(directory, metadata.program))[1]


def _together(
    value: Any, metadata: Metadata, sections: tuple[Section, ...], in_module: list[Finding]
) -> list[Finding]:
    """Check the program against module and metadata, if the module has valid sections."""
    if any(finding.rule in ("LLQ-WGSL-1", "LLQ-WGSL-2") for finding in in_module) or metadata.model is None:
        return []
    return check_program(value, metadata, metadata.model, sections)


def _read(directory: Path, entry: FileEntry) -> bytes:
    with PackageFile(directory / entry.file) as file:
        return file.read(0, entry.byte_length)
