"""Stages `json` to `canonical`: from the bytes of metadata.json to typed metadata."""

from typing import Any

from llq_format.format.layout import VERSION_TEXT
from llq_format.metadata import schema
from llq_format.metadata.canonical_json import canonical, parse
from llq_format.metadata.findings import Finding, Place
from llq_format.metadata.metadata import FILE_NAME, Metadata, digest
from llq_format.metadata.model import ATTENTION_AFFINE

KNOWN_EXTENSIONS: frozenset[str] = frozenset({ATTENTION_AFFINE})


def check_text(data: bytes) -> tuple[Metadata | None, list[Finding]]:
    """Parse and check metadata.json up to stage `canonical`.

    Returns the metadata, or None if a stage up to `schema` has findings, and the findings.
    """
    value, findings = parse(data)
    findings = findings or check_version(value) or schema.check(value)
    if findings:
        return None, findings
    return Metadata.from_json(value), check_canonical(data, value)


def check_version(value: Any) -> list[Finding]:
    """Return the findings of stage `version`; stage `schema` reports values of a wrong type."""
    if not isinstance(value, dict):
        return []
    findings = []
    version, required = value.get("version"), value.get("extensions_required")
    if isinstance(version, str) and version != VERSION_TEXT:
        values = {"version": version, "supported": VERSION_TEXT}
        findings.append(Finding("version-unsupported", Place(pointer="/version"), values))
    for index, name in enumerate(required if isinstance(required, list) else ()):
        if isinstance(name, str) and name not in KNOWN_EXTENSIONS:
            place = Place(pointer=f"/extensions_required/{index}")
            findings.append(Finding("extension-unknown", place, {"name": name}))
    return findings


def check_canonical(data: bytes, value: dict[str, Any]) -> list[Finding]:
    """Return the findings of stage `canonical`."""
    findings = check_encoding(data, value, FILE_NAME)
    if findings:
        return findings
    expected = digest(value)
    if value["digest"] == expected:
        return []
    values = {"digest": value["digest"], "expected": expected}
    return [Finding("digest-mismatch", Place(pointer="/digest"), values)]


def check_encoding(data: bytes, value: Any, file: str) -> list[Finding]:
    """Return the finding of a file that is not the canonical form of its value (LLQ-CANON-1), if any."""
    expected = canonical(value)
    if data == expected:
        return []
    shorter = min(len(data), len(expected))
    at = next((i for i in range(shorter) if data[i] != expected[i]), shorter)
    values = {"text": _excerpt(data, at), "canonical": _excerpt(expected, at)}
    return [Finding("not-canonical", Place(file=file, offset=at), values)]


def _excerpt(data: bytes, offset: int) -> str:
    return data[offset : offset + 16].decode("utf-8", "backslashreplace")
