"""Checks `sample` and `adjust`: a choice draws the expected tokens, and refuses what it must refuse."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.check import Failure
from ..core.runtime import Adjustment, Runtime, Sampling
from ..core.vectors import Vector
from ..diagnosis.recognition import Computation, Evidence, exact_distance, recognize
from .failure_text import failure

REFUSAL, ADJUSTED_REFUSAL = "LLQ-GEN-9", "LLQ-GEN-13"

MASK_WORDS = 8
"""Number of words of a mask that a failure shows."""

Draw = Mapping[str, Any]
Ask = Callable[[Runtime, NDArray[np.float32], Draw], Sequence[int] | None]
"""Ask a runtime for the tokens of a draw; None is a refusal."""


def sample(runtime: Runtime, vector: Vector, _package: Path) -> Failure | None:
    """Draw all tokens of a vector in order; a failure describes the first different token."""
    return _checked(runtime, vector, _sample, REFUSAL)


def adjust(runtime: Runtime, vector: Vector, _package: Path) -> Failure | None:
    """Draw all tokens of a vector in order, from adjusted logits."""
    return _checked(runtime, vector, _adjust, ADJUSTED_REFUSAL)


def _checked(runtime: Runtime, vector: Vector, ask: Ask, refusal: str) -> Failure | None:
    draws = vector.members["draws"]
    answers = _answers(runtime, vector, ask)
    pairs = zip(draws, answers, strict=True)
    wrong = next((pair for pair in pairs if pair[1] != pair[0]["expected"]), None)
    if wrong is None:
        return None
    draw, tokens = wrong
    headline, lines = _difference(draw, tokens)
    certain = refusal if tokens is None or draw["expected"] is None else None
    computation = Computation(runtime, vector, lambda mutant: _answers(mutant, vector, ask))
    mutants = recognize(Evidence(computation, answers, exact_distance))
    return failure(vector, headline, [_parameters(draw), *lines], certain=certain, mutants=mutants)


def _answers(runtime: Runtime, vector: Vector, ask: Ask) -> list[list[int] | None]:
    """Return the tokens of each draw, None for a refusal."""
    logits = vector.array("logits")
    answers = [ask(runtime, logits, draw) for draw in vector.members["draws"]]
    return [None if tokens is None else list(tokens) for tokens in answers]


def _sample(runtime: Runtime, logits: NDArray[np.float32], draw: Draw) -> Sequence[int] | None:
    return runtime.sample(logits, _sampling(draw), draw["count"])


def _adjust(runtime: Runtime, logits: NDArray[np.float32], draw: Draw) -> Sequence[int] | None:
    adjustment = Adjustment(
        draw["min_p"],
        draw["repetition_penalty"],
        tuple((token, bias) for token, bias in draw["logit_bias"]),
        tuple(draw["sequence"]),
        None if draw["mask"] is None else tuple(draw["mask"]),
    )
    return runtime.adjust(logits, _sampling(draw), adjustment, draw["count"])


def _sampling(draw: Draw) -> Sampling:
    return Sampling(draw["temperature"], draw["top_k"], draw["top_p"], int(draw["seed"]), draw["position"])


def _difference(draw: Draw, tokens: Sequence[int] | None) -> tuple[str, list[str]]:
    """Return the headline, and lines that show what is different."""
    expected = draw["expected"]
    if expected is None:
        return "parameters not refused", ["  expected   a refusal", f"  got        {tokens}"]
    lines = [f"  expected   {expected}", f"  got        {'a refusal' if tokens is None else tokens}"]
    if tokens is None:
        return "parameters refused", lines
    if len(tokens) != len(expected):
        return "a different number of tokens", lines
    steps = enumerate(zip(expected, tokens, strict=True))
    step, (right, actual) = next((step, pair) for step, pair in steps if pair[0] != pair[1])
    position = f"position {draw['position'] + step}: expected token {right}, got token {actual}"
    return "different token", [*lines, f"  first      {position}"]


def _parameters(draw: Draw) -> str:
    members = {name: value for name, value in draw.items() if name not in ("expected", "mask")}
    if draw.get("mask") is not None:
        members["mask"] = " ".join(f"{word:08x}" for word in draw["mask"][:MASK_WORDS])
    return "  draw       " + ", ".join(f"{name} {value}" for name, value in members.items())
