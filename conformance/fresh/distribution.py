"""The vector of check `distribution`: random short prompts, their logits, and how far legal executions are.

INT8 rounding makes a deep model chaotic: after one code that is rounded the other way, all later values
differ. After some prompts of one token, legal executions round nearly all codes alike, so that a small error
of a runtime shows. One legal execution chooses these prompts, and others are ranked. Longer prompts show
errors of positions and heads.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..checks.distribution import divergences
from ..container.package import metadata
from ..core.runtime import KV_CACHES, Reals
from ..mutation.conforming.over_reference import in_binary32
from ..mutation.short_prompts import last_logits
from .storage import write_array

CANDIDATES, QUIET = 192, 64
"""Number of prompts of one token, and of those that are used: the ones with the smallest divergences."""

LONG = 32, 8
"""Number and length of the longer prompts."""

EXECUTIONS = 5
"""Number of legal executions with each KV cache."""

SELECTING_SEED = 100
"""Seed of the execution that chooses prompts. The ranked executions have the next seeds."""


def random_prompts(package: Path, random: np.random.Generator) -> list[list[int]]:
    """Return random prompts of one token, chosen as the module states, and longer ones."""
    model = metadata(package)["model"]
    candidates = random.integers(0, model["vocab_size"], (CANDIDATES, 1))
    count, length = LONG
    longer = random.integers(0, model["vocab_size"], (count, min(length, model["context_length"])))
    exact = last_logits(package, candidates.tolist())
    (distances,) = legal_divergences(package, candidates.tolist(), exact, "f32", [SELECTING_SEED])
    chosen = np.sort(np.argsort(distances, kind="stable")[:QUIET])
    return [*candidates[chosen].tolist(), *longer.tolist()]


def legal_divergences(
    package: Path, prompts: Sequence[Sequence[int]], exact: Reals, cache: str, seeds: Sequence[int]
) -> Reals:
    """Return the divergences of executions in binary32 with a KV cache, float64 [seeds, prompts]."""
    executions = (last_logits(package, prompts, cache, (in_binary32(seed),)) for seed in seeds)
    return np.array([divergences(exact, logits) for logits in executions])


def ranked_divergences(package: Path, prompts: Sequence[Sequence[int]], exact: Reals, cache: str) -> Reals:
    """Return the divergences that runtimes with a KV cache are ranked among, [executions, prompts]."""
    seeds = range(SELECTING_SEED + 1, SELECTING_SEED + 1 + EXECUTIONS)
    return legal_divergences(package, prompts, exact, cache, seeds)


def distribution_entry(package: Path, random: np.random.Generator, home: Path) -> dict[str, Any]:
    """Write the arrays of the vector, and return its entry."""
    prompts = random_prompts(package, random)
    exact = last_logits(package, prompts)
    arrays = {"expected": exact}
    for cache in KV_CACHES:
        arrays[f"legal_{cache}"] = ranked_divergences(package, prompts, exact, cache)
    return {
        "id": "package-distribution",
        "kind": "distribution",
        "package": str(package.resolve()),
        "prompts": prompts,
        **{name: write_array(array, f"distribution/{name}.npy", home) for name, array in arrays.items()},
        "description": f"The next token after {len(prompts)} random prompts of {package.name}.",
        "rules": ["LLQ-NUM-4", "LLQ-DEC-2"],
    }
