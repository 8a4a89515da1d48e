"""How often a misreading that the suite does not know gets the name of another: `python -m ….unknown`.

Each mutant of a computation returns logits in the arithmetic of another runtime, while the suite does not
know it, nor any mutant that returns the same logits. Every name that it then gets is wrong. The module writes
`unknown.json` and prints the rate. It uses no traces.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from ..checks.logits import evidence, failing_splits, shortest_split
from ..core.file_replacement import replace_file
from ..core.runtime import Reals
from ..core.vectors import Vector, load
from ..diagnosis import recognition
from ..diagnosis.recognition import CLOSE_LOGITS, MOST_TOKENS, Named, recognize
from ..mutation.kill_matrix import saved as saved_matrix
from ..mutation.mutants import MUTANTS, MutantRuntime
from ..mutation.mutants.open_packages import with_tensors
from ..runtimes.in_process import InProcessRuntime
from .attribution import FOREIGN
from .localisation import measured_mutants

MEASURED = Path(__file__).parent / "unknown.json"
"""What was measured last."""

LIMIT = 120
"""Time limit of an answer, in seconds."""

SAME = 1e-3
"""Distance below which the logits of two mutants are the same, relative to the bound of the vector."""

Unknown = dict[str, dict[str, list[str]]]
"""For each vector and each mutant that fails it, the titles that it gets while the suite does not know it."""


_cached: dict[tuple[str, str], list[Reals] | None] = {}


def exact_logits(name: str, vector: Vector) -> list[Reals] | None:
    """Return the logits of a mutant in the arithmetic of the reference; they are computed once."""
    key = name, vector.id
    if key not in _cached:
        mutant = recognition.mutant_runtime(name)
        mutant.close()  # nothing is kept from earlier sequences
        _cached[key] = logits_of(InProcessRuntime(mutant, LIMIT), vector)
    return _cached[key]


def logits_of(runtime: InProcessRuntime, vector: Vector) -> list[Reals] | None:
    """Return the logits of a runtime for every split of a vector, or None if there are none."""
    splits = vector.members["splits"]
    try:
        return list(evidence(runtime, vector, vector.package, splits, []).computation.compute(runtime))
    except Exception:  # noqa: BLE001 - a mutant may fail in any way
        return None


def titles(name: str, vector: Vector) -> Named | None:
    """Return the titles that a mutant gets while it is unknown; None if it does not fail the vector."""
    foreign = MutantRuntime([FOREIGN, MUTANTS[name]], opened=with_tensors)
    answers = logits_of(InProcessRuntime(foreign, LIMIT), vector)
    if answers is None:
        return None
    failing = failing_splits(vector, answers, "f32")
    if not failing:
        return None
    splits = vector.members["splits"]
    first = shortest_split(splits, failing)
    runtime = InProcessRuntime(MutantRuntime(), LIMIT)
    runtime.capabilities -= {"decode"}
    with recognition.unknown(_same(name, vector)):
        return recognize(
            evidence(runtime, vector, vector.package, [splits[first]], [answers[first]]),
            evidence(runtime, vector, vector.package, splits, answers),
            close=CLOSE_LOGITS,
        )


def _same(name: str, vector: Vector) -> frozenset[str]:
    """Return a mutant with all that return the same logits, or have the same title."""
    own = exact_logits(name, vector)
    bound = vector.members["bounds"]["f32"]
    same = {other for other, mutant in MUTANTS.items() if mutant.title == MUTANTS[name].title}
    for other in _failing(vector, MUTANTS):
        logits = exact_logits(other, vector)
        if own is None or logits is None or [x.shape for x in own] != [x.shape for x in logits]:
            continue
        if all(_equal(a, b, SAME * bound) for a, b in zip(own, logits, strict=True)):
            same.add(other)
    return frozenset(same)


def _equal(a: Reals, b: Reals, distance: float) -> bool:
    """Whether two arrays are NaN or infinite at the same places, and elsewhere within a distance."""
    finite = np.isfinite(a)
    return np.array_equal(finite, np.isfinite(b)) and bool((np.abs(a[finite] - b[finite]) <= distance).all())


def _failing(vector: Vector, names: Iterable[str]) -> list[str]:
    """Return the mutants, of some, whose logits of a vector are wrong."""
    kills = saved_matrix().kills
    return [name for name in names if f"logits-{vector.id}" in kills.get(name, ())]


def measure(vector: Vector) -> dict[str, list[str]]:
    """Return the titles that unknown mutants get on a vector."""
    found = {name: titles(name, vector) for name in _failing(vector, measured_mutants())}
    return {name: list(named) for name, named in found.items() if named is not None}


def vectors() -> list[Vector]:
    """Return the vectors whose logits are compared with all mutants."""
    vectors = [vector for vector in load() if vector.kind == "logits" and "recipe" not in vector.members]
    return [vector for vector in vectors if len(vector.members["tokens"]) <= MOST_TOKENS]


def save(measured: Unknown, path: Path = MEASURED) -> None:
    """Write what was measured, one vector a line."""
    lines = [f" {json.dumps(vector)}: {json.dumps(found)}" for vector, found in measured.items()]
    replace_file(path, "{\n" + ",\n".join(lines) + "\n}\n")


def saved(path: Path = MEASURED) -> Unknown:
    """Return what was measured last."""
    measured: Any = json.loads(path.read_text(encoding="utf-8"))
    return dict(measured)


def counts(measured: Unknown) -> tuple[int, int]:
    """Return the number of failures of unknown mutants, and of those that name another mutant."""
    found = [named for by_mutant in measured.values() for named in by_mutant.values()]
    return len(found), sum(bool(named) for named in found)


def report(measured: Unknown) -> Iterator[str]:
    """Yield the rate, and a line for each wrong name."""
    failures, named = counts(measured)
    yield f"{failures} failures of unknown mutants, {named} with a name ({100 * named / failures:.1f} %)"
    for vector, by_mutant in measured.items():
        for name, wrong in by_mutant.items():
            if wrong:
                yield f"{name} on {vector}: named {' or '.join(wrong)}"


def main() -> int:
    """Measure, write the file and print the rate."""
    argparse.ArgumentParser(
        prog="python -m conformance.measurement.unknown", description=__doc__
    ).parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # the library reads it as a process of the pool begins
    concerned = vectors()
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        parts = list(pool.map(measure, concerned))
    measured = {vector.id: part for vector, part in zip(concerned, parts, strict=True)}
    save(measured)
    sys.stdout.writelines(f"{line}\n" for line in report(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())
