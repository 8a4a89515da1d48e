"""Check `trace`: each operation is within its error bound for the inputs that the runtime itself had."""

from pathlib import Path

from ..core.check import Failure
from ..core.runtime import Runtime
from ..core.vectors import Vector
from ..diagnosis.localisation import located
from .failure_text import failure

SINGLE_OPERATIONS = "LLQ-NUM-16"
OF_AFFINE = ("LLQ-AFFINE-11",)
"""The rule of single operations of `LLQ_attention_affine`, the extension that vectors of logits need."""


def trace(runtime: Runtime, vector: Vector, package: Path) -> Failure | None:
    """Compare the results of all operations; a failure describes the first that is outside its bound."""
    members = vector.members
    first = located(runtime, vector, package, members["tokens"], members["splits"])
    if first is None:
        return None
    headline = f"{first.operation.name} outside its error bound"
    if not first.operation.of_right_shape:
        headline = f"{first.operation.name} of a wrong shape"
    return failure(
        vector,
        headline,
        [f"  tokens     {members['tokens']}", *first.lines()],
        check="trace",
        certain=first.rule,
        about=(*first.operation.rules, SINGLE_OPERATIONS),
        mutants=first.misreadings,
    )
