"""Which mutants check `distribution` detects on a package: `python -m ….distribution PACKAGE`.

Prints the rank test of each mutant and of each conforming variant, and with `--write FILE` adds the table to
a page. The conforming variants are those of a whole decoder that change its arithmetic.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..checks.distribution import RankTest, divergences, passes, rank_tests
from ..core.runtime import Reals
from ..fresh.distribution import legal_divergences, random_prompts
from ..mutation.conforming import over_reference as over
from ..mutation.mutants import MUTANTS
from ..mutation.mutants.seam import Mutate
from ..mutation.short_prompts import last_logits

WRONG = (
    *("eps-1e-6", "eps-1e-5", "rope-theta-10000", "rope-other-pairing", "kv-head-by-remainder"),
    *("binary16-not-rounded", "int8-not-rounded", "binary16-throughout", "int8-scale-by-128"),
)
"""The mutants that are measured: constants, positions, heads and roundings of a dense decoder."""

LEGAL: dict[str, tuple[str, tuple[Mutate, ...]]] = {
    "exact": ("f32", ()),
    "disturbed": ("f32", (over.disturbed(1),)),
    "disturbed-otherwise": ("f32", (over.disturbed(2),)),
    "in binary32": ("f32", (over.in_binary32(1),)),
    "float32-results": ("f32", (over.float32_results,)),
    "online-softmax": ("f32", (over.online_softmax,)),
    "great-negative-mask": ("f32", (over.great_negative_mask,)),
    "norm-by-reciprocal": ("f32", (over.norm_by_reciprocal,)),
    "sigmoid-by-tanh": ("f32", (over.sigmoid_by_tanh,)),
    "codes-by-reciprocal": ("f32", (over.codes_by_reciprocal,)),
    "subnormals-flushed": ("f32", (over.subnormals_flushed,)),
    "preallocated-cache": ("f32", (over.preallocated_cache,)),
    "binary16-cache": ("f16", ()),
    "binary16-cache, disturbed": ("f16", (over.disturbed(1),)),
}
"""Conforming variants: the declared KV cache, and what they change."""


def measured(
    package: Path, seed: int, wrong: Sequence[str], legal: Sequence[str]
) -> Iterator[tuple[str, list[RankTest]]]:
    """Yield the tests of mutants and then of conforming variants, on the prompts of a seed."""
    prompts = random_prompts(package, np.random.default_rng(seed))
    exact = last_logits(package, prompts)
    members: dict[str, Reals] = {}
    executions: list[tuple[str, str, tuple[Mutate, ...]]] = [
        *((f"mutant:{name}", "f32", (MUTANTS[name].mutate,)) for name in wrong),
        *((f"conforming:{name}", *LEGAL[name]) for name in legal),
    ]
    for title, cache, mutations in executions:
        if cache not in members:
            members[cache] = legal_divergences(package, prompts, exact, cache)
        own = divergences(exact, last_logits(package, prompts, cache, mutations))
        yield title, rank_tests([len(tokens) for tokens in prompts], own, members[cache])


def row(title: str, seed: int, tests: Sequence[RankTest]) -> str:
    """Return a row of the table."""
    verdict = "passes" if all(passes(test, tests) for test in tests) else "fails"
    cells = (f"{test.total} | {test.probability:.1e}" for test in tests)
    return f"| {title} | {seed} | {' | '.join(cells)} | {verdict} |"


def main() -> None:
    """Measure a package and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m conformance.measurement.distribution", description=__doc__
    )
    parser.add_argument("package", type=Path)
    parser.add_argument("--seeds", type=int, default=1, help="Number of sets of prompts.")
    parser.add_argument("--first-seed", type=int, default=0, help="Seed of the first set.")
    parser.add_argument("--legal-only", action="store_true", help="Measure only conforming variants.")
    options = parser.parse_args()
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        wrong = () if options.legal_only else WRONG
        for title, tests in measured(options.package, seed, wrong, tuple(LEGAL)):
            sys.stdout.write(row(title, seed, tests) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
