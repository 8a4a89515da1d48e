"""Which check of which vector catches which mutant: `python -m conformance.measurement.build` computes it.

It writes `quick.json`: the matrix, the smallest set found of questions that catches every mutant, which
`--quick` asks, the mutants that no question tells apart, and what validators said wrongly. `--jobs N` uses
that many processes; `--most N` leaves each mutant alone once N questions caught it: the matrix is not
complete then.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from ..checks import CHECKS
from ..core.check import Check, Outcome
from ..core.vectors import Vector, load
from ..diagnosis import recognition
from ..mutation.kill_matrix import KillMatrix, Kills, save, saved
from ..mutation.mutants import MUTANTS, Mutant, MutantRuntime, runtime
from ..mutation.mutants.validation import overlooking
from ..mutation.recorder import Recorder
from ..runtimes.in_process import InProcessRuntime

VERDICTS = ("accept", "refuse", "withhold")
CHECKS_THAT_SEE = {
    "decode": ("decode", "matvec", "logits"),
    **dict.fromkeys(VERDICTS, VERDICTS),
    "activations": ("activations", "matvec", "logits"),
    "matvec": ("matvec", "logits"),
    "logits": ("logits", "generate"),
    "generate": ("generate",),
    "tokenize": ("tokenize",),
}
"""The checks that a mutant is asked, by the one that has to find it: what lies below does not see it."""

SLOW = ("many-empty-tensors",)
"""Vectors that take a second, left to others where others do."""

TIMEOUT = 60

BadAnswers = Mapping[str, tuple[str, str]]
"""For each question with a bad answer the headline of the failure and a digest of the answers."""


def questions(names: Iterable[str]) -> list[tuple[Check, Vector]]:
    """Return the questions of some checks, in the order of reports."""
    wanted = set(names)
    return [(c, v) for c in CHECKS if c.name in wanted for v in _vectors() if c.concerns(v)]


@cache
def _vectors() -> list[Vector]:
    return load()


@cache
def _found_by_validation() -> dict[str, tuple[Any, ...]]:
    """Return, for each question about a verdict, all that the reference finds where mutants may overlook it.

    A mutant that overlooks none of this answers as the reference does, so it need not be asked.
    """
    heard: list[Any] = []

    def never(finding: Any) -> bool:
        heard.append(finding)
        return False

    watching = Mutant("watching", "", "", VERDICTS, overlooking(never))
    asked = InProcessRuntime(MutantRuntime([watching]), TIMEOUT)
    found = {}
    with tempfile.TemporaryDirectory() as workspace:
        for check, vector in questions(VERDICTS):
            heard.clear()
            result = check(asked, vector, Path(workspace, check.name))
            assert result.outcome is Outcome.PASSED, result.explanation  # noqa: S101 - nothing is overlooked
            found[f"{check.name}-{vector.id}"] = tuple(heard)
    return found


def concerned(mutant: Mutant) -> list[tuple[Check, Vector]]:
    """Return the questions that a mutant may answer otherwise than the reference."""
    asked = questions(CHECKS_THAT_SEE[mutant.check])
    overlooks = mutant.overlooks
    if overlooks is None:
        return asked
    found = _found_by_validation()
    return [(c, v) for c, v in asked if any(map(overlooks, found[f"{c.name}-{v.id}"]))]


def bad_answers(name: str, most: int | None = None) -> BadAnswers:
    """Return what a mutant answers wrongly, or does not answer; `most` of it, if given.

    Questions of its lowest check come first then, and of them those about its rule.
    """
    mutant = MUTANTS[name]
    found: dict[str, tuple[str, str]] = {}
    asked = concerned(mutant)
    if most is not None:
        asked.sort(key=lambda q: (q[0].name != mutant.check, mutant.rule not in q[1].rules, q[1].id in SLOW))
    recorder = Recorder(runtime(name))
    with tempfile.TemporaryDirectory() as workspace, recognition.silent():
        for check, vector in asked:
            result = check(InProcessRuntime(recorder, TIMEOUT), vector, Path(workspace, check.name))
            digest = recorder.take_digest()
            if result.outcome is not Outcome.PASSED:
                found[f"{check.name}-{vector.id}"] = result.headline, digest
                if len(found) == most:
                    break
    return found


def sweep(names: Sequence[str], jobs: int, most: int | None = None) -> dict[str, BadAnswers]:
    """Return what catches each mutant, computed in several processes, each of one thread in sums."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # the library reads it as a process of the pool begins
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        return dict(zip(names, pool.map(partial(bad_answers, most=most), names), strict=True))


def cover(kills: Kills, cost: Mapping[str, float]) -> list[str]:
    """Return few questions that catch every mutant: greedily, cheaper ones first, without spare ones."""
    chosen: list[str] = []
    left = {name for name, found in kills.items() if found}
    everything = sorted({question for found in kills.values() for question in found})
    while left:
        counts = {q: sum(q in kills[name] for name in left) for q in everything}
        best = max(everything, key=lambda q: (counts[q], -cost.get(q, 0)))
        chosen.append(best)
        left -= {name for name in left if best in kills[name]}
    for question in list(reversed(chosen)):
        others = set(chosen) - {question}
        if all(found & others for found in kills.values() if found):
            chosen.remove(question)
    return sorted(chosen)


def indistinguishable_mutants(found: Mapping[str, BadAnswers]) -> list[tuple[str, ...]]:
    """Return groups of mutants that no question tells apart: their answers to all questions are the same."""
    groups: dict[frozenset[tuple[str, str]], list[str]] = {}
    for name, said in found.items():
        key = frozenset((question, digest) for question, (_, digest) in said.items())
        groups.setdefault(key, []).append(name)
    return [tuple(names) for names in groups.values() if len(names) > 1]


def matrix(found: Mapping[str, BadAnswers], *, complete: bool) -> KillMatrix:
    """Return the matrix of a sweep, with its quick set."""
    kills = {name: frozenset(said) for name, said in found.items()}
    costs = {
        f"{check.name}-{vector.id}": 100.0
        for check, vector in questions(CHECKS_THAT_SEE)
        if vector.id in SLOW
    }
    headlines = {
        name: {question: headline for question, (headline, _) in said.items()}
        for name, said in found.items()
        if MUTANTS[name].check in VERDICTS
    }
    return KillMatrix(kills, cover(kills, costs), indistinguishable_mutants(found), headlines, complete)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compute and write everything; the exit status is 1 if a mutant is not caught."""
    parser = argparse.ArgumentParser(prog="python -m conformance.measurement.build", description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--most", type=int, help="stop with a mutant when so many questions caught it")
    chosen = parser.parse_args(arguments)
    save(matrix(sweep(list(MUTANTS), chosen.jobs, chosen.most), complete=chosen.most is None))
    made = saved()
    survivors = [name for name, caught_by in made.kills.items() if not caught_by]
    sys.stdout.write(f"{len(made.kills)} mutants, {len(made.quick)} questions in the quick set\n")
    sys.stdout.write(f"not caught: {', '.join(survivors) or 'none'}\n")
    same = "; ".join(" = ".join(group) for group in made.alike) or "none"
    sys.stdout.write(f"told apart by no question: {same}\n" if made.complete else "not complete\n")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
