"""The index of a package by address: metadata.json, and the lengths of its files. No weight is read."""

from llq_format.metadata.findings import Finding, LLQError, Place, fail
from llq_format.metadata.metadata import FILE_NAME, MAX_BYTES, Metadata
from llq_format.remote import files
from llq_format.validation.package_files import MIN_METADATA_BYTES, check_byte_length, metadata_size
from llq_format.validation.text import check_text
from llq_format.validation.validate import check_index


def open_index(address: str) -> tuple[Metadata, int]:
    """Return the metadata of a package, and the length of metadata.json in bytes.

    Raises LLQError with the first error, and RemoteError.
    """
    data = _metadata_bytes(_base(address))
    metadata, findings = check_text(data)
    if metadata is not None:
        findings += check_index(metadata)
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors or metadata is None:
        raise LLQError(min(errors, key=lambda finding: finding.order))
    return metadata, len(data)


def validate_index(address: str) -> list[Finding]:
    """Return the findings of metadata.json, and of the lengths of the files that it lists, in order.

    Files that it does not list are not found. Raises RemoteError.
    """
    base = _base(address)
    try:
        metadata, findings = check_text(_metadata_bytes(base))
    except LLQError as error:
        return [error.finding]
    if metadata is not None:
        findings += check_index(metadata)
        for entry in metadata.files:
            length = files.byte_length(f"{base}/{entry.file}")
            if length is None:
                findings.append(Finding("file-missing", Place(file=entry.file)))
            else:
                findings += check_byte_length(entry.file, length, entry.byte_length)
        if metadata.model is not None and metadata.tokenizer is None:
            findings.append(Finding("tokenizer-missing", Place(pointer="")))
    return sorted(findings, key=lambda finding: finding.order)


def _base(address: str) -> str:
    """Return the address of the directory."""
    return address.removesuffix(FILE_NAME).rstrip("/")


def _metadata_bytes(base: str) -> bytes:
    """Return the bytes of metadata.json, whose length is checked before they are read."""
    length = files.byte_length(f"{base}/{FILE_NAME}")
    if length is None:
        raise fail("metadata-missing", Place(file=FILE_NAME))
    if not MIN_METADATA_BYTES <= length <= MAX_BYTES:
        raise metadata_size(length, MAX_BYTES)
    return files.read(f"{base}/{FILE_NAME}", 0, length)
