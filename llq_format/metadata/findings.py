"""A finding: one breach of one rule at one place (spec: Validation, Findings)."""

from dataclasses import dataclass
from typing import Any

from llq_format.metadata.rules import Rule, Severity, find


@dataclass(frozen=True, slots=True)
class Place:
    """Where a finding is: a JSON pointer into metadata.json, or a file and perhaps a place in it.

    The place in a file is a byte offset, a line (from 1) of the module, or a pointer into program.json.
    """

    pointer: str | None = None
    file: str | None = None
    offset: int | None = None
    tensor: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        """Return the place as people read it."""
        if self.pointer is not None:
            text = f"{self.file or 'metadata.json'}#{self.pointer}"
        elif self.line is not None:
            text = f"{self.file} line {self.line}"
        else:
            text = f"{self.file}" if self.offset is None else f"{self.file} at byte {self.offset}"
        return text if self.tensor is None else f"{text} (tensor {self.tensor})"

    def to_json(self) -> dict[str, Any]:
        """Return the member `where` of a finding."""
        members = {
            "pointer": self.pointer,
            "file": self.file,
            "offset": self.offset,
            "line": self.line,
            "tensor": self.tensor,
        }
        return {name: value for name, value in members.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach of one rule at one place."""

    rule: str
    where: Place
    found: str
    expected: str

    @property
    def entry(self) -> Rule:
        """The rule's entry in the registry."""
        return find(self.rule)

    @property
    def severity(self) -> Severity:
        """`error` or `warning`."""
        return self.entry.severity

    @property
    def remedy(self) -> str:
        """How to mend it."""
        return self.entry.remedy

    @property
    def order(self) -> tuple[int, str, str, int]:
        """The sort key: by rule, then by place."""
        where = self.where
        return (self.entry.order, where.pointer or "", where.file or "", where.offset or where.line or 0)

    def __str__(self) -> str:
        """Return the finding in one line, with its remedy."""
        return f"{self.rule}: {self.where}: found {self.found}, expected {self.expected}. {self.remedy}"

    def to_json(self) -> dict[str, Any]:
        """Return the finding as `spec/schema/findings.schema.json` has it."""
        return {
            "rule": self.rule,
            "severity": self.severity,
            "where": self.where.to_json(),
            "found": self.found,
            "expected": self.expected,
            "remedy": self.remedy,
        }


class LLQError(ValueError):
    """A package breaks a rule, or what should become one cannot; `finding` says which rule and where."""

    def __init__(self, finding: Finding) -> None:
        """Make the error of a finding."""
        super().__init__(str(finding))
        self.finding = finding


def fail(rule: str, where: Place, found: str, expected: str) -> LLQError:
    """Return the error of one finding, to be raised."""
    return LLQError(Finding(rule, where, found, expected))


def shown(value: object, limit: int = 80) -> str:
    """Return a value from an untrusted file as short printable ASCII, so that no terminal obeys it."""
    text = ascii(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}… ({len(text)} characters)"
