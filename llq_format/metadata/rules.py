"""The registry of rules: `spec/rules.json` as typed values, in order of checking."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from llq_format.metadata.specification import read_json

Kind = Literal["requirement", "recommendation", "permission", "procedure"]
"""Kinds of rules; a procedure is a MUST that is defined by steps or a table."""

Severity = Literal["error", "warning", "none"]
"""Severities of violations; a permission cannot be violated and has severity `none`."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule; `order` is its rank in `spec/rules.md`, which decides the first error."""

    id: str
    kind: Kind
    order: int
    stage: str
    severity: Severity
    classes: tuple[str, ...]
    sentence: str
    remedy: str


@cache
def registry() -> Mapping[str, Rule]:
    """Return every rule by its id, in order of checking."""
    entries = read_json("rules.json")["rules"]
    return {
        entry["id"]: Rule(order=order, **entry | {"classes": tuple(entry["classes"])})
        for order, entry in enumerate(entries)
    }


def find(rule_id: str) -> Rule:
    """Return the rule with an id; the prefix `LLQ-` is optional, and case does not matter.

    Raises KeyError for an unknown id.
    """
    key = rule_id.upper()
    return registry()[key if key.startswith("LLQ-") else f"LLQ-{key}"]
