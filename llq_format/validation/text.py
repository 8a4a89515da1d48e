"""Stages `json` to `canonical`: from the bytes of metadata.json to typed metadata."""

from typing import Any

from llq_format.format.layout import VERSION_TEXT
from llq_format.metadata import schema
from llq_format.metadata.canonical_json import canonical, parse
from llq_format.metadata.findings import Finding, Place, shown
from llq_format.metadata.metadata import FILE_NAME, Metadata, digest

KNOWN_EXTENSIONS: frozenset[str] = frozenset()


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
    """Return the findings of stage `version`; what is no version or list at all is left to the schema."""
    if not isinstance(value, dict):
        return []
    findings = []
    version, required = value.get("version"), value.get("extensions_required")
    if isinstance(version, str) and version != VERSION_TEXT:
        findings.append(Finding("LLQ-VER-1", Place(pointer="/version"), shown(version), repr(VERSION_TEXT)))
    for index, name in enumerate(required if isinstance(required, list) else ()):
        if isinstance(name, str) and name not in KNOWN_EXTENSIONS:
            place = Place(pointer=f"/extensions_required/{index}")
            findings.append(
                Finding("LLQ-EXT-1", place, shown(name), "an extension that this reader implements")
            )
    return findings


def check_canonical(data: bytes, value: dict[str, Any]) -> list[Finding]:
    """Return the findings of stage `canonical`."""
    expected = canonical(value)
    if data != expected:
        longest = min(len(data), len(expected))
        at = next((i for i in range(longest) if data[i] != expected[i]), longest)
        found, wanted = shown(data[at : at + 16]), shown(expected[at : at + 16])
        return [Finding("LLQ-CANON-1", Place(file=FILE_NAME, offset=at), found, wanted)]
    right = digest(value)
    if value["digest"] != right:
        return [Finding("LLQ-CANON-2", Place(pointer="/digest"), value["digest"], right)]
    return []
