"""Check `logits`: they are within the bound of the declared KV cache, however the sequence is split."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..container import error_bound
from ..core.check import Failure
from ..core.runtime import KV_CACHES, Reals, Runtime
from ..core.vectors import Vector
from ..diagnosis.localisation import located_cause
from ..diagnosis.recognition import CLOSE_LOGITS, Computation, Evidence, bounded_distance, recognize
from .context import accepted_excess
from .failure_text import failure, not_finite

AXES = ("position", "token")
"""Where the vector compares only some positions, the first is the number of the position among these."""

SPLIT = "LLQ-DEC-17"
PRECEDING_TOKENS = 8
"""Number of tokens of another sequence, which is computed first if the vector tests DEC-17."""

LISTED_NUMBERS = 64
"""Number of tokens, or of steps, up to which a failure lists all of them."""


def logits(runtime: Runtime, vector: Vector, package: Path) -> Failure | None:
    """Compute the sequence once for each split; a failure describes the first wrong split."""
    tokens, splits = vector.members["tokens"], vector.members["splits"]
    expected = vector.array("expected")
    bound = np.float64(vector.members["bounds"][runtime.info.kv_cache])
    answers = _answers(runtime, vector, package, splits)
    failing = failing_splits(vector, answers, runtime.info.kv_cache)
    if not failing:
        return accepted_excess(vector, lambda excess: runtime.logits(package, excess, [len(excess) - 1, 1]))
    answer = answers[failing[0]]
    lines = [
        f"  tokens     {_abbreviated(tokens)}",
        *(
            f"  split      {_abbreviated(split)}: {'wrong' if i in failing else 'right'}"
            for i, split in enumerate(splits)
        ),
    ]
    if another := error_bound.shapes(answer, expected):
        return failure(vector, "wrong shape", lines + another)
    lines += error_bound.describe(answer, expected, bound, AXES, _position(vector))
    lines += _undeclared_cache(runtime.info.kv_cache, vector, answers)
    if "layers" in vector.members:
        lines.append(f"  compare    the residual stream after each layer: {vector.file('layers')}")
    shortest = shortest_split(splits, failing)
    cause = located_cause(runtime, vector, package, tokens, splits[failing[0]])
    mutants = cause.misreadings if cause else {}
    lines += cause.lines() if cause else []
    mutants = mutants or recognize(
        evidence(runtime, vector, package, [splits[shortest]], [answers[shortest]]),
        evidence(runtime, vector, package, splits, answers),
        close=CLOSE_LOGITS,
    )
    if finite := not_finite(answer):
        return failure(vector, "NaN or infinity", lines, certain=finite, mutants=mutants)
    if len(failing) < len(splits):
        return failure(vector, "logits that depend on the split", lines, certain=SPLIT, mutants=mutants)
    certain = cause.rule if cause else None
    return failure(vector, "logits outside the error bound", lines, certain=certain, mutants=mutants)


def failing_splits(vector: Vector, answers: Sequence[Reals], kv_cache: str) -> list[int]:
    """Return the numbers of the splits whose logits are outside the bound of a KV cache."""
    expected, bound = vector.array("expected"), np.float64(vector.members["bounds"][kv_cache])
    return [number for number, answer in enumerate(answers) if _outside_bound(answer, expected, bound)]


def shortest_split(splits: Sequence[Sequence[int]], failing: Sequence[int]) -> int:
    """Return the number of the failing split with the fewest steps: it is asked of many mutants."""
    return min(failing, key=lambda number: len(splits[number]))


def _abbreviated(numbers: Sequence[int]) -> str:
    """Return a list of numbers, the middle of a long one left out."""
    if len(numbers) <= LISTED_NUMBERS:
        return str(list(numbers))
    first, last = (", ".join(map(str, part)) for part in (numbers[:8], numbers[-4:]))
    return f"[{first}, … {len(numbers) - 12} more …, {last}]"


def _answers(runtime: Runtime, vector: Vector, package: Path, splits: Sequence[Sequence[int]]) -> list[Reals]:
    """Request the logits once for each split."""
    tokens = vector.members["tokens"]
    if SPLIT in vector.rules:
        preceding_tokens = tokens[::-1][:PRECEDING_TOKENS]
        runtime.logits(
            package, preceding_tokens, [len(preceding_tokens)]
        )  # what follows must not depend on it
    return [_compared(runtime.logits(package, tokens, split), vector) for split in splits]


def _compared(answer: Reals, vector: Vector) -> Reals:
    """Return the logits of the positions that the vector compares; all, if their number is wrong."""
    positions = vector.members.get("positions")
    if positions is None or len(answer) != len(vector.members["tokens"]):
        return answer
    compared: Reals = answer[positions]
    return compared


def _position(vector: Vector) -> error_bound.Note:
    """Return the line about the position in the sequence, if the vector compares only some positions."""
    positions = vector.members.get("positions")
    if positions is None:
        return lambda _: []
    return lambda index: [f"  compared   position {positions[index[0]]} of the sequence"]


def evidence(
    runtime: Runtime, vector: Vector, package: Path, splits: Sequence[Sequence[int]], answers: list[Reals]
) -> Evidence:
    """Return the logits of some splits as evidence for mutants."""
    name = ", ".join(str(len(split)) for split in splits)
    computation = Computation(
        runtime, vector, lambda mutant: _answers(mutant, vector, package, splits), f"splits {name}"
    )
    expected = vector.array("expected")
    bound = np.float64(vector.members["bounds"][runtime.info.kv_cache])
    distance = bounded_distance([expected] * len(splits), [bound] * len(splits))
    return Evidence(computation, answers, distance)


def _outside_bound(answer: Reals, expected: Reals, bound: error_bound.Bound) -> bool:
    return answer.shape != expected.shape or bool(error_bound.outside(answer, expected, bound).any())


def _undeclared_cache(declared: str, vector: Vector, answers: list[Reals]) -> list[str]:
    """Return whether the logits are within the bound of the KV cache that is not declared."""
    expected = vector.array("expected")
    lines = [f"  KV cache   {declared}, as declared"]
    for kv_cache in KV_CACHES:
        bound = np.float64(vector.members["bounds"][kv_cache])
        if kv_cache != declared and not any(_outside_bound(answer, expected, bound) for answer in answers):
            lines.append(
                f"  NUM-2      within the bound of {kv_cache}, {bound:.4g}: does the cache hold {kv_cache}?"
            )
    return lines
