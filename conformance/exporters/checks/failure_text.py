"""Failures of exporters in words."""

from collections.abc import Sequence

from ...core.check import Failure
from ...core.rules import quote, registry
from ...core.vectors import Vector

SHOWN = 300
"""Maximum length of a quoted message of an exporter, in characters."""


def failure(check: str, vector: Vector, rule: str, headline: str, lines: Sequence[str] = ()) -> Failure:
    """Return the failure of a check that blames a rule; `lines` describe what was found."""
    text = [
        f"{check} {vector.id}: {headline}",
        f"  vector     {vector.description}",
        f"  breaks     {quote(rule)}",
        *(f"  {line}" for line in lines),
        *([f"  remedy     {registry()[rule].remedy}"] if rule in registry() else []),
    ]
    return Failure(headline, "\n".join(text), (rule,))


def message_line(message: str) -> str:
    """Return the end of an exporter's message as one line of a failure."""
    line = " / ".join(part.strip() for part in message.splitlines() if part.strip())
    return f"message    {line[-SHOWN:] or 'nothing'}"
