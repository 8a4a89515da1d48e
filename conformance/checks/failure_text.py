"""The text of a failure of a computation."""

from collections.abc import Mapping, Sequence

import numpy as np

from ..core.check import Failure
from ..core.rules import quote, registry
from ..core.runtime import Reals
from ..core.vectors import Vector

NOT_FINITE = "LLQ-NUM-1"


def failure(  # noqa: PLR0913 - the parts of a failure
    vector: Vector,
    headline: str,
    lines: Sequence[str],
    *,
    certain: str | None = None,
    mutants: Mapping[str, tuple[str, ...]] | None = None,
    about: Sequence[str] | None = None,
    check: str | None = None,
) -> Failure:
    """Return a failure that cites first the rules that are certainly broken, then the rules of the vector.

    mutants: the mutants that yield the answer, with their rules; the rules of a single mutant are certain.
    about: the rules of the check, if they are not the vector's. check: its name, if not the vector's kind.
    """
    titles = dict(mutants or {})
    sure = [rule for rules in titles.values() for rule in rules] if len(titles) == 1 else []
    sure = [certain, *sure] if certain else sure
    rules = tuple(dict.fromkeys((*sure, *(vector.rules if about is None else about))))
    if titles:
        equals = "equals " + " or ".join(f"*{name}*" for name in titles)
        see = ", ".join(dict.fromkeys(rule for rules_ in titles.values() for rule in rules_))
        headline = f"{headline}: {equals}"
        lines = [*lines, f"  misreading {equals}: see {see}"]
    text = [
        f"{check or vector.kind} {vector.id}: {headline}",
        f"  vector     {vector.description}",
        *(f"  {'breaks' if rule in sure else 'about':10} {quote(rule)}" for rule in rules),
        *lines,
        f"  remedy     {registry()[rules[0]].remedy}",
    ]
    return Failure(headline, "\n".join(text), rules, titles)


def not_finite(answer: Reals) -> str | None:
    """Return the rule against NaN and infinity if the answer breaks it."""
    return None if np.isfinite(answer).all() else NOT_FINITE
