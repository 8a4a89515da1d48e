"""The rules of the format, as `spec/rules.json` lists them."""

import json
from dataclasses import dataclass
from functools import cache

from .data import data

RULES = data("spec") / "rules.json"
SITE = data("spec") / "site.json"


@dataclass(frozen=True)
class Rule:
    """One rule."""

    id: str
    kind: str
    stage: str
    sentence: str
    remedy: str
    severity: str
    classes: tuple[str, ...]


def area(rule: str) -> str:
    """Return PACK for LLQ-PACK-3."""
    return rule.split("-")[1]


@cache
def registry() -> dict[str, Rule]:
    """Return all rules by id, in order of checking."""
    entries = json.loads(RULES.read_text(encoding="utf-8"))["rules"]
    return {entry["id"]: Rule(**entry | {"classes": tuple(entry["classes"])}) for entry in entries}


def address(rule: str) -> str | None:
    """Return the address of the page of a rule on the built site, or None if the site has no address."""
    base: str = json.loads(SITE.read_text(encoding="utf-8"))["address"]
    return f"{base.rstrip('/')}/rules/{rule}.html" if base else None


def quote(rule: str) -> str:
    """Return the id with its sentence, as a failure cites it."""
    entry = registry().get(rule)
    return f"{rule}: {entry.sentence}" if entry else f"{rule} (no rule of this edition has this id)"
