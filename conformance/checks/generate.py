"""Check `generate`: greedy choice yields the expected tokens and stops at the right step."""

from itertools import zip_longest
from pathlib import Path

from ..container.package import context_length, eos_token_ids
from ..core.check import Failure
from ..core.runtime import Runtime
from ..core.vectors import Vector
from ..diagnosis.recognition import Computation, exact_distance, recognize
from .context import accepted_excess
from .failure_text import failure

GENERATION_ENDS = "LLQ-GEN-2"


def generate(runtime: Runtime, vector: Vector, package: Path) -> Failure | None:
    """Compare the tokens; a failure describes the first different step."""
    prompt, most = vector.members["tokens"], vector.members["max_tokens"]
    expected = list(vector.members["expected"])

    def answer(asked: Runtime) -> list[int]:
        for preceding in vector.members.get("preceding", ()):  # what follows must not depend on it
            asked.generate(package, preceding, most)
        return list(asked.generate(package, prompt, most))

    actual = answer(runtime)
    if actual == expected:
        return accepted_excess(vector, lambda tokens: runtime.generate(package, tokens, most))
    ends = eos_token_ids(package)
    steps = enumerate(zip_longest(expected, actual))
    step, (expected_token, actual_token) = next((i, pair) for i, pair in steps if pair[0] != pair[1])
    lines = [
        *(f"  preceding  {preceding}" for preceding in vector.members.get("preceding", ())),
        f"  prompt     {prompt}, max_tokens {most}, eos_token_ids {ends}",
        f"  expected   {expected}",
        f"  got        {actual}",
        f"  first      step {step}: expected {_token_text(expected_token)}, got {_token_text(actual_token)}",
    ]
    too_many = len(actual) > most or len(prompt) + len(actual) > context_length(package) + 1
    certain = GENERATION_ENDS if too_many or set(actual) & set(ends) else None
    if expected_token is None:
        headline = "generation stops too late"
    elif actual_token is None:
        headline = "generation stops too early"
    else:
        headline = "different token"
        lines.append(f"  margin     {vector.members.get('margin')} between the two largest logits")
    computation = Computation(runtime, vector, lambda mutant: [answer(mutant)])
    mutants = (
        recognize(computation, [actual], exact_distance) if actual else {}
    )  # many mutants return no token
    return failure(vector, headline, lines, certain=certain, mutants=mutants)


def _token_text(token: int | None) -> str:
    return "the end" if token is None else f"token {token}"
