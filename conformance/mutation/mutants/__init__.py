"""Mutants: runtimes that each change one part of the reference. They measure the suite.

`pytest conformance --runtime=mutant:NAME` asks one, `mutant:A+B` two at once, `mutant:control` none at all;
`python -m conformance.mutation.mutants` lists them. Importing the modules adds their mutants to `MUTANTS`.
"""

from difflib import get_close_matches
from typing import Literal

from . import (
    adjusting,
    affine,
    attention,
    context,
    counts,
    decoding,
    feed_forward,
    frame,
    generation,
    masks,
    matmul,
    narrow,
    partial,
    precision,
    refusals,
    rounding,
    sampling,
    sequences,
    tails,
    tokenization,
    validation,
    width,
)
from .memory import NAME as ANSWERS_FROM_MEMORY
from .memory import MemorizingRuntime
from .mutant import MUTANTS, Mutant
from .runtime import MutantRuntime

MODULES = (
    *(decoding, validation, partial, refusals, rounding, matmul, precision, frame, attention, affine),
    *(
        masks,
        context,
        width,
        counts,
        tails,
        narrow,
        feed_forward,
        sequences,
        generation,
        sampling,
        adjusting,
        tokenization,
    ),
)
CHECK_ORDER = (
    "decode",
    "refuse",
    "accept",
    "withhold",
    "activations",
    "matvec",
    "logits",
    "generate",
    "sample",
    "adjust",
    "tokenize",
)
"""The checks from low to high, the order of the registry."""

for _name in sorted(MUTANTS, key=lambda name: CHECK_ORDER.index(MUTANTS[name].check)):
    MUTANTS[_name] = MUTANTS.pop(_name)

PASSING_ALL_VECTORS = {ANSWERS_FROM_MEMORY: MemorizingRuntime}
"""Mutants that no vector kills: only fresh questions (`--random`) find them. They cannot be combined."""

CONTROL = "control"
"""The mutant in which nothing is wrong."""


class UnknownMutantError(LookupError):
    """No mutant has this name."""


def runtime(names: str, kv_cache: Literal["f32", "f16"] = "f32") -> MutantRuntime | MemorizingRuntime:
    """Return the mutant of a name, or of several joined by `+`, as a runtime.

    Raises UnknownMutantError, which lists similar names.
    """
    if names in PASSING_ALL_VECTORS:
        return PASSING_ALL_VECTORS[names]()
    mutants = []
    for name in names.split("+"):
        if name == CONTROL:
            continue
        if name not in MUTANTS:
            near = get_close_matches(name, MUTANTS, 3, 0.3) or list(MUTANTS)[:3]
            raise UnknownMutantError(
                f"there is no mutant {name!r}; did you mean {' or '.join(near)}? "
                "`python -m conformance.mutation.mutants` lists all mutants"
            )
        mutants.append(MUTANTS[name])
    return MutantRuntime(mutants, kv_cache)


__all__ = [
    "CONTROL",
    "MODULES",
    "MUTANTS",
    "PASSING_ALL_VECTORS",
    "Mutant",
    "MutantRuntime",
    "UnknownMutantError",
    "runtime",
]
