"""Check `sample`: sampled choice draws the expected tokens, and refuses what it must refuse."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..core.check import Failure
from ..core.runtime import Runtime, Sampling
from ..core.vectors import Vector
from ..diagnosis.recognition import Computation, Evidence, exact_distance, recognize
from .failure_text import failure

REFUSAL = "LLQ-GEN-9"

Draw = Mapping[str, Any]


def sample(runtime: Runtime, vector: Vector, _package: Path) -> Failure | None:
    """Draw all tokens of a vector in order; a failure describes the first different token."""
    draws = vector.members["draws"]
    answers = _answers(runtime, vector)
    pairs = zip(draws, answers, strict=True)
    wrong = next((pair for pair in pairs if pair[1] != pair[0]["expected"]), None)
    if wrong is None:
        return None
    draw, tokens = wrong
    headline, lines = _difference(draw, tokens)
    certain = REFUSAL if tokens is None or draw["expected"] is None else None
    computation = Computation(runtime, vector, lambda mutant: _answers(mutant, vector))
    mutants = recognize(Evidence(computation, answers, exact_distance))
    return failure(vector, headline, [_parameters(draw), *lines], certain=certain, mutants=mutants)


def _answers(runtime: Runtime, vector: Vector) -> list[list[int] | None]:
    """Return the tokens of each draw, None for a refusal."""
    logits = vector.array("logits")
    answers: list[list[int] | None] = []
    for draw in vector.members["draws"]:
        tokens = runtime.sample(logits, _sampling(draw), draw["count"])
        answers.append(None if tokens is None else list(tokens))
    return answers


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
    names = ("temperature", "top_k", "top_p", "seed", "position", "count")
    return "  draw       " + ", ".join(f"{name} {draw[name]}" for name in names)
