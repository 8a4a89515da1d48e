"""Check `logits`: they are within the bound of the declared KV cache, however the sequence is split."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..container import error_bound
from ..core.check import Failure
from ..core.runtime import KV_CACHES, Reals, Runtime
from ..core.vectors import Vector
from ..diagnosis.recognition import Computation, bounded_distance, recognize
from .context import accepted_excess
from .failure_text import failure, not_finite

AXES = ("position", "token")
SPLIT = "LLQ-DEC-17"
PRECEDING_TOKENS = 8
"""Number of tokens of another sequence, which is computed first if the vector tests DEC-17."""


def logits(runtime: Runtime, vector: Vector, package: Path) -> Failure | None:
    """Compute the sequence once for each split; a failure describes the first wrong split."""
    tokens, splits = vector.members["tokens"], vector.members["splits"]
    expected = vector.array("expected")
    bound = np.float64(vector.members["bounds"][runtime.info.kv_cache])
    answers = _answers(runtime, vector, package, splits)
    failing_splits = [
        number for number, answer in enumerate(answers) if _outside_bound(answer, expected, bound)
    ]
    if not failing_splits:
        return accepted_excess(vector, lambda excess: runtime.logits(package, excess, [len(excess) - 1, 1]))
    answer = answers[failing_splits[0]]
    lines = [
        f"  tokens     {tokens}",
        *(
            f"  split      {split}: {'wrong' if i in failing_splits else 'right'}"
            for i, split in enumerate(splits)
        ),
    ]
    if another := error_bound.shapes(answer, expected):
        return failure(vector, "wrong shape", lines + another)
    lines += error_bound.describe(answer, expected, bound, AXES)
    lines += _undeclared_cache(runtime.info.kv_cache, vector, answers)
    if "layers" in vector.members:
        lines.append(f"  compare    the residual stream after each layer: {vector.file('layers')}")
    shortest = min(
        failing_splits, key=lambda number: len(splits[number])
    )  # of few steps, for it is asked of many mutants
    computation = Computation(
        runtime,
        vector,
        lambda mutant: _answers(mutant, vector, package, [splits[shortest]]),
        f"split {shortest}",
    )
    mutants = recognize(computation, [answers[shortest]], bounded_distance([expected], [bound]))
    if finite := not_finite(answer):
        return failure(vector, "NaN or infinity", lines, certain=finite, mutants=mutants)
    if len(failing_splits) < len(splits):
        return failure(vector, "logits that depend on the split", lines, certain=SPLIT, mutants=mutants)
    return failure(vector, "logits outside the error bound", lines, mutants=mutants)


def _answers(runtime: Runtime, vector: Vector, package: Path, splits: Sequence[Sequence[int]]) -> list[Reals]:
    """Request the logits once for each split."""
    tokens = vector.members["tokens"]
    if SPLIT in vector.rules:
        preceding_tokens = tokens[::-1][:PRECEDING_TOKENS]
        runtime.logits(
            package, preceding_tokens, [len(preceding_tokens)]
        )  # what follows must not depend on it
    return [runtime.logits(package, tokens, split) for split in splits]


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
