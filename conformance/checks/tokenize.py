"""Check `tokenize`: a prompt gives the expected ids, and these the expected text."""

from itertools import zip_longest
from pathlib import Path

from ..core.check import Failure
from ..core.runtime import Runtime, Tokenized
from ..core.vectors import Vector
from ..diagnosis.recognition import Computation, Evidence, exact_distance, recognize
from .failure_text import failure


def tokenize(runtime: Runtime, vector: Vector, package: Path) -> Failure | None:
    """Compare ids and text."""
    text = vector.members["text"]
    expected = Tokenized(tuple(vector.members["ids"]), vector.members["decoded"])
    actual = runtime.tokenize(package, text)
    if actual == expected:
        return None
    lines = [f"  text       {text!a}"]
    differences = []
    if actual.ids != expected.ids:
        differences.append("different token ids")
        pairs = enumerate(zip_longest(expected.ids, actual.ids, fillvalue="nothing"))
        position, (expected_id, actual_id) = next((i, pair) for i, pair in pairs if pair[0] != pair[1])
        lines += [
            f"  expected   {list(expected.ids)}",
            f"  got        {list(actual.ids)}",
            f"  first      id {position}: expected {expected_id}, got {actual_id}",
        ]
    if actual.decoded != expected.decoded:
        differences.append("different text decoded")
        lines += [f"  expected   {expected.decoded!a}", f"  got        {actual.decoded!a}"]
    computation = Computation(runtime, vector, lambda mutant: [mutant.tokenize(package, text)])
    mutants = recognize(Evidence(computation, [actual], exact_distance))
    return failure(vector, ", ".join(differences), lines, mutants=mutants)
