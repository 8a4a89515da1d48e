"""Check `matvec`: products of a matrix and rounded vectors lie within the certificate of each element."""

from pathlib import Path

from .. import deviation
from ..adapter import Runtime
from ..check import Failure
from ..computation import failure, not_finite
from ..recognition import Asked, recognised, within
from ..vectors import Vector

AXES = ("vector", "output row")


def matvec(runtime: Runtime, vector: Vector, package: Path) -> Failure | None:
    """Compare every output row for every vector."""
    tensor, form = vector.members["tensor"], vector.members["format"]
    expected, bound = vector.array("expected"), vector.array("bound")
    got = runtime.matvec(package, tensor, form, vector.array("input"))
    if lines := deviation.shapes(got, expected):
        return failure(vector, "wrong shape", lines)
    if not deviation.beyond(got, expected, bound).any():
        return None
    lines = [f"  tensor     {tensor}, inputs in {form}", *deviation.describe(got, expected, bound, AXES)]
    asked = Asked(runtime, vector, lambda other: [other.matvec(package, tensor, form, vector.array("input"))])
    named = recognised(asked, [got], within([expected], [bound]))
    return failure(vector, "products beyond their certificates", lines, certain=not_finite(got), named=named)
