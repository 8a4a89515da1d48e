"""A deviation of the JavaScript interface from what a step expects."""

import json
from dataclasses import dataclass
from typing import Any

SHOWN = 160
"""Maximum length of a quoted text, in characters."""


@dataclass(frozen=True)
class Deviation:
    """One deviation: the rule that it breaks, the expected and the actual value."""

    rule: str
    headline: str
    expected: str = ""
    actual: str = ""


def shortened(value: Any) -> str:
    """Return a value as JSON, cut to `SHOWN` characters."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} …"
