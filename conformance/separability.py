"""Which check of which vector catches which mutant: `python -m conformance.separability` computes it.

It writes `quick.json`, the matrix and the smallest set found of questions that catches every mutant, which
`--quick` asks, and the page of the matrix. `--jobs N` uses that many processes; `--most N` leaves each mutant
alone once N questions caught it: minutes become seconds, and the matrix is not complete.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from . import recognition
from .check import Check, Outcome
from .checks import CHECKS
from .inprocess import InProcess
from .mutants import MUTANTS, runtime
from .vectors import Vector, load

MATRIX = Path(__file__).parent / "quick.json"
ABOVE = {
    "decode": ("decode", "matvec"),
    "accept": ("accept", "refuse", "withhold"),
    "refuse": ("accept", "refuse", "withhold"),
    "withhold": ("withhold",),
    "activations": ("activations", "matvec", "logits"),
    "matvec": ("matvec", "logits"),
    "logits": ("logits", "generate"),
    "generate": ("generate",),
    "tokenize": ("tokenize",),
}
"""The checks that a mutant is asked, by the one that has to find it: what lies below does not see it."""

SLOW = ("many-empty-tensors",)
"""Vectors that take a second, left to others where others do."""

Kills = Mapping[str, frozenset[str]]
"""For each mutant the questions, `check-vector`, whose answers were bad."""


def questions(names: Iterable[str]) -> list[tuple[Check, Vector]]:
    """Return the questions of some checks, in the order of reports."""
    wanted = set(names)
    vectors = load()
    return [(c, v) for c in CHECKS if c.name in wanted for v in vectors if c.concerns(v)]


def caught(name: str, most: int | None = None) -> frozenset[str]:
    """Return the questions that a mutant answers wrongly, or does not answer; `most` of them, if given.

    Those of its lowest check come first, and of them those about its rule.
    """
    mutant = runtime(name)
    found: set[str] = set()
    rule, lowest = MUTANTS[name].rule, MUTANTS[name].check
    asked = questions(ABOVE[lowest])
    if most is not None:
        asked.sort(key=lambda item: (item[0].name != lowest, rule not in item[1].rules, item[1].id in SLOW))
    with tempfile.TemporaryDirectory() as workspace, recognition.silent():
        for check, vector in asked:
            place = Path(workspace, check.name)
            if check(InProcess(mutant, 60), vector, place).outcome is not Outcome.PASSED:
                found.add(f"{check.name}-{vector.id}")
                if len(found) == most:
                    break
    return frozenset(found)


def sweep(names: Sequence[str], jobs: int, most: int | None = None) -> dict[str, frozenset[str]]:
    """Return what catches each mutant, computed in several processes."""
    with ProcessPoolExecutor(jobs) as pool:
        return dict(zip(names, pool.map(partial(caught, most=most), names), strict=True))


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


def twins(kills: Kills) -> list[tuple[str, ...]]:
    """Return groups of mutants that no question tells apart: the same ones catch them."""
    groups: dict[frozenset[str], list[str]] = {}
    for name, found in kills.items():
        groups.setdefault(found, []).append(name)
    return [tuple(names) for names in groups.values() if len(names) > 1]


def save(kills: Kills, quick: Sequence[str], *, complete: bool, path: Path = MATRIX) -> None:
    """Write the matrix, a row of hexadecimal bits for each mutant, and the quick set."""
    order = sorted({question for found in kills.values() for question in found})
    rows = {
        name: f"{sum(1 << i for i, question in enumerate(order) if question in found):x}"
        for name, found in kills.items()
    }
    value = {"complete": complete, "quick": list(quick), "questions": order, "mutants": rows}
    text = json.dumps(value, indent=1) + "\n"
    temporary = path.with_suffix(".new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def saved(path: Path = MATRIX) -> tuple[dict[str, frozenset[str]], list[str], bool]:
    """Return the matrix, the quick set, and whether the matrix is complete, as `save` wrote them."""
    value = json.loads(path.read_text(encoding="utf-8"))
    kills = {
        name: frozenset(q for i, q in enumerate(value["questions"]) if int(row, 16) >> i & 1)
        for name, row in value["mutants"].items()
    }
    return kills, value["quick"], value["complete"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Compute and write everything; the exit status is 1 if a mutant is not caught."""
    parser = argparse.ArgumentParser(prog="python -m conformance.separability", description=__doc__)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--most", type=int, help="stop with a mutant when so many questions caught it")
    parser.add_argument("--page-only", action="store_true", help="only write the page anew")
    chosen = parser.parse_args(arguments)
    from . import kill_page  # noqa: PLC0415 - it reads what this module writes

    if not chosen.page_only:
        kills = sweep(list(MUTANTS), chosen.jobs, chosen.most)
        costs = {f"refuse-{vector}": 100.0 for vector in SLOW}
        save(kills, cover(kills, costs), complete=chosen.most is None)
    kills, quick, complete = saved()
    kill_page.write(kills, quick, complete=complete)
    survivors = [name for name, found in kills.items() if not found]
    same = "; ".join(" = ".join(group) for group in twins(kills)) or "none"
    sys.stdout.write(f"{len(kills)} mutants, {len(quick)} questions in the quick set\n")
    sys.stdout.write(f"not caught: {', '.join(survivors) or 'none'}\n")
    sys.stdout.write(
        f"caught by the same questions: {same}\n" if complete else "the matrix is not complete\n"
    )
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
