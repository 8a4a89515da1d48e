"""Refusal of sequences that exceed the context of a model (DEC-22)."""

from collections.abc import Callable, Sequence

from ..core.check import Failure
from ..core.runtime import Declined
from ..core.vectors import Vector
from .failure_text import failure

CONTEXT = "LLQ-DEC-22"


def accepted_excess(vector: Vector, compute: Callable[[Sequence[int]], object]) -> Failure | None:
    """Expect that the sequence of a vector that is longer than the context, if there is one, is refused.

    compute: asks the runtime for what the vector is about, for other tokens.
    """
    tokens = vector.members.get("too_long")
    if tokens is None:
        return None
    try:
        compute(tokens)
    except Declined:
        return None
    lines = [f"  tokens     {tokens}", f"  number     {len(tokens)}, more than context_length"]
    return failure(vector, "accepts a sequence that is longer than the context", lines, certain=CONTEXT)
