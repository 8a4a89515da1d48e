"""Check `generate`: greedy choice yields the expected tokens and stops at the right step."""

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np

from ..container.package import context_length, eos_token_ids
from ..core.check import Failure
from ..core.runtime import NoAnswerError, Runtime
from ..core.vectors import Vector
from ..diagnosis.localisation import located_cause
from ..diagnosis.recognition import Computation, Evidence, exact_distance, recognize
from .context import accepted_excess
from .failure_text import failure

GENERATION_ENDS = "LLQ-GEN-2"
LOGITS = "LLQ-NUM-4"


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
        if _is_own_choice(runtime, package, [*prompt, *actual[:step]], actual_token):
            return _wrong_logits(runtime, vector, package, lines, actual[:step])
    computation = Computation(runtime, vector, lambda mutant: [answer(mutant)])
    mutants = (
        recognize(Evidence(computation, [actual], exact_distance)) if actual else {}
    )  # many mutants return no token
    return failure(vector, headline, lines, certain=certain, mutants=mutants)


def _is_own_choice(runtime: Runtime, package: Path, tokens: Sequence[int], token: int) -> bool:
    """Whether the runtime itself computes the largest logit for a token that it chose after others."""
    if "logits" not in runtime.capabilities:
        return False
    try:
        row = runtime.logits(package, tokens, [len(tokens)])[-1]
    except NoAnswerError:
        return False
    return bool(np.isfinite(row).all() and row.argmax() == token)


def _wrong_logits(
    runtime: Runtime, vector: Vector, package: Path, lines: Sequence[str], generated: Sequence[int]
) -> Failure:
    """Return the failure of a runtime that chooses by its logits, which are wrong."""
    prompt = vector.members["tokens"]
    split = [len(prompt), *[1] * len(generated)]
    cause = located_cause(runtime, vector, package, [*prompt, *generated], split)
    return failure(
        vector,
        "different token, chosen by wrong logits",
        [
            *lines,
            "  choice     the runtime's own logits are largest there: they are wrong, and not the choice",
            *(cause.lines() if cause else []),
        ],
        certain=cause.rule if cause else LOGITS,
        mutants=cause.misreadings if cause else {},
    )


def _token_text(token: int | None) -> str:
    return "the end" if token is None else f"token {token}"
