"""A finding: one violation of one rule at one place (spec: Validation, Findings)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llq_format.metadata.finding_codes import REFERRING_RULES, find_code
from llq_format.metadata.message_template import portable
from llq_format.metadata.rules import Rule, Severity, find


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a finding: a JSON pointer into metadata.json, or a file with an optional place in it.

    The place in a file is a byte offset, a line (from 1) of the module, or a pointer into program.json.
    """

    pointer: str | None = None
    file: str | None = None
    offset: int | None = None
    tensor: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        """Return the place as text."""
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
    """One violation of one rule at one place.

    code: the kind of violation, from `finding_codes`.
    values: the values that the texts of the code name.
    rule: the violated rule; by default the first rule of the code, which for most codes is the only one.

    Raises KeyError for an unknown code, ValueError for a rule or for values that do not belong to the code.
    """

    code: str
    where: Place
    values: Mapping[str, Any] = field(default_factory=dict, hash=False)
    rule: str = ""

    def __post_init__(self) -> None:
        """Check the values, and set the default rule."""
        kind = find_code(self.code)
        object.__setattr__(self, "rule", self.rule or kind.rules[0])
        if self.rule not in kind.rules:
            raise ValueError(f"code {self.code} does not belong to rule {self.rule}")
        if self.values.keys() != kind.names:
            raise ValueError(f"code {self.code} has values {sorted(self.values)}, not {sorted(kind.names)}")

    @property
    def entry(self) -> Rule:
        """The rule's entry in the registry."""
        return find(self.rule)

    @property
    def found(self) -> str:
        """What was found, in words."""
        kind = find_code(self.code)
        text = kind.found.render(self.values)
        return f"{text} ({kind.rules[0]})" if self.rule in REFERRING_RULES else text

    @property
    def expected(self) -> str:
        """What was expected, in words."""
        return find_code(self.code).expected.render(self.values)

    @property
    def severity(self) -> Severity:
        """`error` or `warning`."""
        return self.entry.severity

    @property
    def remedy(self) -> str:
        """How to fix it."""
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
        """Return the finding as JSON (`spec/schema/findings.schema.json`)."""
        return {
            "rule": self.rule,
            "code": self.code,
            "severity": self.severity,
            "where": self.where.to_json(),
            "values": {name: portable(value) for name, value in self.values.items()},
            "found": self.found,
            "expected": self.expected,
            "remedy": self.remedy,
        }


class LLQError(ValueError):
    """A violation by a package, or by a package to be written; `finding` has the rule and the place."""

    def __init__(self, finding: Finding) -> None:
        """Make the error of a finding."""
        super().__init__(str(finding))
        self.finding = finding


def fail(code: str, where: Place, values: Mapping[str, Any] | None = None) -> LLQError:
    """Return an error with one finding."""
    return LLQError(Finding(code, where, values or {}))
