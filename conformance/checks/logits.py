"""Check `logits`: they lie within the bound of the declared KV cache, however the sequence is split."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..container import error_bound
from ..core.check import Failure
from ..core.runtime import KV_CACHES, Reals, Runtime
from ..core.vectors import Vector
from ..diagnosis.recognition import Computation, recognised, within
from .failure_text import failure, not_finite

AXES = ("position", "token")
SPLIT = "LLQ-DEC-17"
OTHER = 8
"""How many tokens another sequence has, which is computed first where the vector is about DEC-17."""


def logits(runtime: Runtime, vector: Vector, package: Path) -> Failure | None:
    """Compute the sequence once for each split; a failure describes the first that is wrong."""
    tokens, splits = vector.members["tokens"], vector.members["splits"]
    expected = vector.array("expected")
    bound = np.float64(vector.members["bounds"][runtime.info.kv_cache])
    answers = _answers(runtime, vector, package, splits)
    wrong = [number for number, got in enumerate(answers) if _wrong(got, expected, bound)]
    if not wrong:
        return None
    got = answers[wrong[0]]
    lines = [
        f"  tokens     {tokens}",
        *(f"  split      {split}: {'wrong' if i in wrong else 'right'}" for i, split in enumerate(splits)),
    ]
    if another := error_bound.shapes(got, expected):
        return failure(vector, "wrong shape", lines + another)
    lines += error_bound.describe(got, expected, bound, AXES)
    lines += _other_cache(runtime.info.kv_cache, vector, answers)
    if "layers" in vector.members:
        lines.append(f"  compare    the residual stream behind each layer: {vector.file('layers')}")
    one = min(wrong, key=lambda number: len(splits[number]))  # of few steps, for it is asked of many mutants
    computation = Computation(
        runtime, vector, lambda other: _answers(other, vector, package, [splits[one]]), f"split {one}"
    )
    named = recognised(computation, [answers[one]], within([expected], [bound]))
    if finite := not_finite(got):
        return failure(vector, "NaN or infinity", lines, certain=finite, named=named)
    if len(wrong) < len(splits):
        return failure(vector, "logits that depend on the split", lines, certain=SPLIT, named=named)
    return failure(vector, "logits beyond the bound", lines, named=named)


def _answers(runtime: Runtime, vector: Vector, package: Path, splits: Sequence[Sequence[int]]) -> list[Reals]:
    """Ask for the logits once for each split."""
    tokens = vector.members["tokens"]
    if SPLIT in vector.rules:
        other = tokens[::-1][:OTHER]
        runtime.logits(package, other, [len(other)])  # what follows must not depend on it
    return [runtime.logits(package, tokens, split) for split in splits]


def _wrong(got: Reals, expected: Reals, bound: error_bound.Bound) -> bool:
    return got.shape != expected.shape or bool(error_bound.beyond(got, expected, bound).any())


def _other_cache(declared: str, vector: Vector, answers: list[Reals]) -> list[str]:
    """Return what the bound of the KV cache that was not declared would say, where it is another verdict."""
    expected = vector.array("expected")
    lines = [f"  KV cache   {declared}, as declared"]
    for other in KV_CACHES:
        bound = np.float64(vector.members["bounds"][other])
        if other != declared and not any(_wrong(got, expected, bound) for got in answers):
            lines.append(
                f"  NUM-2      within the bound of {other}, {bound:.4g}: does the cache hold {other}?"
            )
    return lines
