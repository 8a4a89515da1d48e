"""The vector of check `distribution`: random short prompts, their logits, and how far legal executions are.

INT8 rounding makes a deep model chaotic: after one code that is rounded the other way, all later values
differ. Prompts of one token pass through the fewest codes, so small errors of a runtime show best after them.
Longer prompts show errors of positions and heads.
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

GROUPS = ((192, 1), (32, 8))
"""Number and length of prompts."""

EXECUTIONS = 5
"""Number of legal executions with each KV cache."""

FIRST_SEED = 100
"""Seed of the first legal execution."""


def random_prompts(package: Path, random: np.random.Generator) -> list[list[int]]:
    """Return random prompts, which are no longer than the context."""
    model = metadata(package)["model"]
    prompts: list[list[int]] = []
    for count, length in GROUPS:
        shape = count, min(length, model["context_length"])
        prompts += random.integers(0, model["vocab_size"], shape).tolist()
    return prompts


def legal_divergences(package: Path, prompts: Sequence[Sequence[int]], exact: Reals, cache: str) -> Reals:
    """Return the divergences of legal executions with a KV cache, float64 [executions, prompts]."""
    seeds = range(FIRST_SEED, FIRST_SEED + EXECUTIONS)
    executions = (last_logits(package, prompts, cache, (in_binary32(seed),)) for seed in seeds)
    return np.array([divergences(exact, logits) for logits in executions])


def distribution_entry(package: Path, random: np.random.Generator, home: Path) -> dict[str, Any]:
    """Write the arrays of the vector, and return its entry."""
    prompts = random_prompts(package, random)
    exact = last_logits(package, prompts)
    arrays = {"expected": exact}
    for cache in KV_CACHES:
        arrays[f"legal_{cache}"] = legal_divergences(package, prompts, exact, cache)
    return {
        "id": "package-distribution",
        "kind": "distribution",
        "package": str(package.resolve()),
        "prompts": prompts,
        **{name: write_array(array, f"distribution/{name}.npy", home) for name, array in arrays.items()},
        "description": f"The next token after {len(prompts)} random prompts of {package.name}.",
        "rules": ["LLQ-NUM-4", "LLQ-DEC-2"],
    }
