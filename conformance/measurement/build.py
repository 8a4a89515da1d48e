"""The kill matrix, mutants × questions: `python -m conformance.measurement.build` computes it.

The module writes `quick.json`: the matrix, the quick set (a small set of questions that kills every mutant),
the mutants that no question distinguishes, and the wrong verdicts. `--jobs N` uses N processes. `--most N`
stops a mutant after N questions killed it, so that the matrix is not complete. `--check NAME` computes
only the mutants that a check sees, and keeps the others: enough if only questions of that check changed.
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
from ..mutation.kill_matrix import KillMatrix, Kills, portable_headline, save, saved
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
    "sample": ("sample",),
    "tokenize": ("tokenize",),
}
"""The checks that may kill a mutant, by the lowest check that must kill it."""

SLOW = ("many-empty-tensors", "program-breaks-buffers-max-properties")
"""Slow vectors, which the quick set avoids."""

TIMEOUT = 60

BadAnswers = Mapping[str, tuple[str, str]]
"""For each question with a bad answer the headline of the failure and a digest of the answers."""


def questions(names: Iterable[str]) -> list[tuple[Check, Vector]]:
    """Return the questions of some checks, in the order of reports."""
    checks = set(names)
    return [(c, v) for c in CHECKS if c.name in checks for v in _vectors() if c.concerns(v)]


@cache
def _vectors() -> list[Vector]:
    return load()


@cache
def _validation_findings() -> dict[str, tuple[Any, ...]]:
    """Return, for each question about a verdict, the findings of the reference that a mutant may overlook.

    A mutant that overlooks none of the findings answers as the reference does, so it is not tested.
    """
    findings: list[Any] = []

    def never(finding: Any) -> bool:
        findings.append(finding)
        return False

    watching = Mutant("watching", "", "", VERDICTS, overlooking(never))
    watched = InProcessRuntime(MutantRuntime([watching]), TIMEOUT)
    findings_by_question = {}
    with tempfile.TemporaryDirectory() as workspace:
        for check, vector in questions(VERDICTS):
            findings.clear()
            result = check(watched, vector, Path(workspace, check.name))
            assert result.outcome is Outcome.PASSED, result.explanation  # noqa: S101 - nothing is overlooked
            findings_by_question[f"{check.name}-{vector.id}"] = tuple(findings)
    return findings_by_question


def concerned(mutant: Mutant) -> list[tuple[Check, Vector]]:
    """Return the questions that a mutant may answer differently from the reference."""
    cases = questions(CHECKS_THAT_SEE[mutant.check])
    overlooks = mutant.overlooks
    if overlooks is None:
        return cases
    findings = _validation_findings()
    return [(c, v) for c, v in cases if any(map(overlooks, findings[f"{c.name}-{v.id}"]))]


def bad_answers(name: str, limit: int | None = None) -> BadAnswers:
    """Return what a mutant answers wrongly, or does not answer; at most `limit` answers, if a limit is set.

    Questions of its lowest check come first then, and of them those about its rule.
    """
    mutant = MUTANTS[name]
    answers: dict[str, tuple[str, str]] = {}
    cases = concerned(mutant)
    if limit is not None:
        cases.sort(key=lambda q: (q[0].name != mutant.check, mutant.rule not in q[1].rules, q[1].id in SLOW))
    recorder = Recorder(runtime(name))
    with tempfile.TemporaryDirectory() as workspace, recognition.silent():
        for check, vector in cases:
            result = check(InProcessRuntime(recorder, TIMEOUT), vector, Path(workspace, check.name))
            digest = recorder.take_digest()
            if result.outcome is not Outcome.PASSED:
                answers[f"{check.name}-{vector.id}"] = portable_headline(result.headline), digest
                if len(answers) == limit:
                    break
    return answers


def sweep(names: Sequence[str], jobs: int, limit: int | None = None) -> dict[str, BadAnswers]:
    """Return the bad answers of each mutant, computed in several processes."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # the library reads it as a process of the pool begins
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        return dict(zip(names, pool.map(partial(bad_answers, limit=limit), names), strict=True))


def cover(kills: Kills, cost: Mapping[str, float]) -> list[str]:
    """Return few questions that kill every mutant, by a greedy search that prefers cheap questions."""
    selection: list[str] = []
    uncovered = {name for name, killers in kills.items() if killers}
    candidates = sorted({question for killers in kills.values() for question in killers})
    while uncovered:
        counts = {q: sum(q in kills[name] for name in uncovered) for q in candidates}
        best = max(candidates, key=lambda q: (counts[q], -cost.get(q, 0)))
        selection.append(best)
        uncovered -= {name for name in uncovered if best in kills[name]}
    for question in list(reversed(selection)):
        remaining = set(selection) - {question}
        if all(killers & remaining for killers in kills.values() if killers):
            selection.remove(question)
    return sorted(selection)


def indistinguishable_mutants(answers_by_mutant: Mapping[str, BadAnswers]) -> list[tuple[str, ...]]:
    """Return groups of mutants that no question distinguishes: all their answers are equal."""
    groups: dict[frozenset[tuple[str, str]], list[str]] = {}
    for name, answers in answers_by_mutant.items():
        key = frozenset((question, digest) for question, (_, digest) in answers.items())
        groups.setdefault(key, []).append(name)
    return [tuple(names) for names in groups.values() if len(names) > 1]


def matrix(answers_by_mutant: Mapping[str, BadAnswers], *, complete: bool) -> KillMatrix:
    """Return the matrix of a sweep, with its quick set."""
    kills = {name: frozenset(answers) for name, answers in answers_by_mutant.items()}
    headlines = {
        name: {question: headline for question, (headline, _) in answers.items()}
        for name, answers in answers_by_mutant.items()
        if MUTANTS[name].check in VERDICTS
    }
    return KillMatrix(
        kills, quick_set(kills), indistinguishable_mutants(answers_by_mutant), headlines, complete
    )


def quick_set(kills: Kills) -> list[str]:
    """Return the questions of a quick run: they kill every mutant that any question kills."""
    slow = [f"{c.name}-{v.id}" for c, v in questions(CHECKS_THAT_SEE) if v.id in SLOW]
    return cover(kills, dict.fromkeys(slow, 100.0))


def updated(old: KillMatrix, new: KillMatrix) -> KillMatrix:
    """Return a matrix with the rows of a new one in place of those of the same mutants; others are kept."""
    kills = {name: new.kills.get(name, old.kills.get(name, frozenset())) for name in MUTANTS}
    kept = [group for group in old.alike if not {*group} & {*new.kills} and {*group} <= {*MUTANTS}]
    headlines = {
        name: known for name in MUTANTS if (known := new.headlines.get(name, old.headlines.get(name)))
    }
    return KillMatrix(
        kills, quick_set(kills), [*kept, *new.alike], headlines, complete=old.complete and new.complete
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Compute and write everything; return exit status 1 if a mutant survives."""
    parser = argparse.ArgumentParser(prog="python -m conformance.measurement.build", description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--most", type=int, help="Maximum number of questions that kill a mutant.")
    parser.add_argument(
        "--check",
        action="append",
        choices=sorted({check for checks in CHECKS_THAT_SEE.values() for check in checks}),
        help="Compute only the mutants that this check sees; may be repeated.",
    )
    options = parser.parse_args(arguments)
    seen = [
        n for n in MUTANTS if not options.check or {*options.check} & {*CHECKS_THAT_SEE[MUTANTS[n].check]}
    ]
    computed = matrix(sweep(seen, options.jobs, options.most), complete=options.most is None)
    save(updated(saved(), computed) if options.check else computed)
    kill_matrix = saved()
    survivors = [name for name, caught_by in kill_matrix.kills.items() if not caught_by]
    sys.stdout.write(
        f"{len(kill_matrix.kills)} mutants, {len(kill_matrix.quick)} questions in the quick set\n"
    )
    sys.stdout.write(f"not caught: {', '.join(survivors) or 'none'}\n")
    groups = "; ".join(" = ".join(group) for group in kill_matrix.alike) or "none"
    sys.stdout.write(
        f"not distinguished by any question: {groups}\n" if kill_matrix.complete else "not complete\n"
    )
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
