"""Check `generate`: greedy choice yields the expected tokens, and ends where it has to."""

from itertools import zip_longest
from pathlib import Path

from ..container.package import eos_token_ids
from ..core.check import Failure
from ..core.runtime import Runtime
from ..core.vectors import Vector
from ..diagnosis.recognition import Computation, exactly, recognised
from .failure_text import failure

GENERATION_ENDS = "LLQ-GEN-2"


def generate(runtime: Runtime, vector: Vector, package: Path) -> Failure | None:
    """Compare the tokens; a failure tells of the first step that differs."""
    prompt, most = vector.members["tokens"], vector.members["max_tokens"]
    expected = list(vector.members["expected"])
    got = list(runtime.generate(package, prompt, most))
    if got == expected:
        return None
    ends = eos_token_ids(package)
    steps = enumerate(zip_longest(expected, got))
    step, (right, wrong) = next((i, pair) for i, pair in steps if pair[0] != pair[1])
    lines = [
        f"  prompt     {prompt}, max_tokens {most}, eos_token_ids {ends}",
        f"  expected   {expected}",
        f"  got        {got}",
        f"  first      step {step}: expected {_token_text(right)}, got {_token_text(wrong)}",
    ]
    certain = GENERATION_ENDS if len(got) > most or set(got) & set(ends) else None
    if right is None:
        headline = "generation ends too late"
    elif wrong is None:
        headline = "generation ends too early"
    else:
        headline = "another token"
        lines.append(f"  margin     {vector.members.get('margin')} between the two greatest logits")
    computation = Computation(runtime, vector, lambda other: [list(other.generate(package, prompt, most))])
    named = recognised(computation, [got], exactly) if got else {}  # for nothing, many mutants look alike
    return failure(vector, headline, lines, certain=certain, named=named)


def _token_text(token: int | None) -> str:
    return "the end" if token is None else f"token {token}"
