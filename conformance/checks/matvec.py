"""Check `matvec`: products of a matrix and rounded vectors are within the error bound of each element."""

from pathlib import Path

from ..container import error_bound
from ..core.check import Failure
from ..core.runtime import Runtime
from ..core.vectors import Vector
from ..diagnosis.recognition import Computation, Evidence, bounded_distance, recognize
from .failure_text import failure, not_finite

AXES = ("vector", "output row")


def matvec(runtime: Runtime, vector: Vector, package: Path) -> Failure | None:
    """Compare every output row for every vector."""
    tensor, form = vector.members["tensor"], vector.members["format"]
    expected, bound = vector.array("expected"), vector.array("bound")
    products = runtime.matvec(package, tensor, form, vector.array("input"))
    if lines := error_bound.shapes(products, expected):
        return failure(vector, "wrong shape", lines)
    if not error_bound.outside(products, expected, bound).any():
        return None
    lines = [
        f"  tensor     {tensor}, inputs in {form}",
        *error_bound.describe(products, expected, bound, AXES),
    ]
    computation = Computation(
        runtime, vector, lambda mutant: [mutant.matvec(package, tensor, form, vector.array("input"))]
    )
    mutants = recognize(Evidence(computation, [products], bounded_distance([expected], [bound])))
    return failure(
        vector, "products outside their error bounds", lines, certain=not_finite(products), mutants=mutants
    )
