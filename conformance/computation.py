"""A failure of a computation, in words: what all checks of computed answers have in common."""

from collections.abc import Sequence

import numpy as np

from .adapter import Reals
from .check import Failure
from .registry import quote, registry
from .vectors import Vector

NOT_FINITE = "LLQ-NUM-1"


def failure(vector: Vector, headline: str, lines: Sequence[str], *, certain: str | None = None) -> Failure:
    """Return a failure that cites the rules of the vector, and before them one that is certainly broken."""
    rules = tuple(dict.fromkeys((certain, *vector.rules) if certain else vector.rules))
    text = [
        f"{vector.kind} {vector.id}: {headline}",
        f"  vector     {vector.description}",
        *(f"  {'breaks' if rule == certain else 'about':10} {quote(rule)}" for rule in rules),
        *lines,
        f"  remedy     {registry()[rules[0]].remedy}",
    ]
    return Failure(headline, "\n".join(text), rules)


def not_finite(answer: Reals) -> str | None:
    """Return the rule against NaN and infinity if the answer breaks it."""
    return None if np.isfinite(answer).all() else NOT_FINITE
