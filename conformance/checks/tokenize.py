"""Check `tokenize`: a prompt gives the expected ids, and these the expected text."""

from itertools import zip_longest
from pathlib import Path

from ..core.check import Failure
from ..core.runtime import Runtime, Tokenized
from ..core.vectors import Vector
from ..diagnosis.recognition import Computation, exactly, recognised
from .failure_text import failure


def tokenize(runtime: Runtime, vector: Vector, package: Path) -> Failure | None:
    """Compare ids and text."""
    text = vector.members["text"]
    expected = Tokenized(tuple(vector.members["ids"]), vector.members["decoded"])
    got = runtime.tokenize(package, text)
    if got == expected:
        return None
    lines = [f"  text       {text!a}"]
    wrong = []
    if got.ids != expected.ids:
        wrong.append("other token ids")
        pairs = enumerate(zip_longest(expected.ids, got.ids, fillvalue="nothing"))
        first, (right, other) = next((i, pair) for i, pair in pairs if pair[0] != pair[1])
        lines += [
            f"  expected   {list(expected.ids)}",
            f"  got        {list(got.ids)}",
            f"  first      id {first}: expected {right}, got {other}",
        ]
    if got.decoded != expected.decoded:
        wrong.append("another text decoded")
        lines += [f"  expected   {expected.decoded!a}", f"  got        {got.decoded!a}"]
    named = recognised(
        Computation(runtime, vector, lambda other: [other.tokenize(package, text)]), [got], exactly
    )
    return failure(vector, ", ".join(wrong), lines, named=named)
