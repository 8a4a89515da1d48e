"""How often a trace blames the operation that is wrong: `python -m conformance.measurement.localisation`.

Each mutant of a computation returns traces, as it is and in the arithmetic of another runtime. The module
writes `localisation.json`, which lists what was blamed and named, and prints the rates.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from multiprocessing import get_context
from pathlib import Path

from ..core.file_replacement import replace_file
from ..core.vectors import Vector, load
from ..diagnosis.localisation import LONG, located
from ..mutation.kill_matrix import saved as saved_matrix
from ..mutation.mutants import MUTANTS, MutantRuntime
from ..mutation.mutants.open_packages import with_tensors
from ..runtimes.in_process import InProcessRuntime
from .attribution import FOREIGN

MEASURED = Path(__file__).parent / "localisation.json"
"""What was measured last, by the name of the mutant."""

COMPUTED = ("activations", "matvec", "logits")
"""The lowest checks of the mutants of a single operation."""

MOST = 2
"""Number of vectors on which a mutant is traced: the first that it fails."""

INPUT, SCALE = ("*.input",), ("*.input", "*.scale")
MATMUL = ("*.qkv", "*.output", "*.gate_up", "*.up", "*.down", "lm_head")
NORM, RESIDUAL = ("*_norm", "norm"), ("*.residual",)
CACHE, MASK, SCORES = ("*.keys", "*.values"), ("*.weights",), ("*.scores",)

OPERATIONS = {
    "ACT-1": INPUT,
    "ACT-2": SCALE,
    "ACT-3": (*SCALE, *MATMUL),
    "ACT-4": SCALE,
    "ACT-6": ("*.scale",),
    "ACT-10": ("*.scaled",),
    "ACT-7": MATMUL,
    "ACT-8": MATMUL,
    "NUM-1": MASK,
    "NUM-2": CACHE,
    "NUM-3": MATMUL,
    "TENSOR-3": ("*",),
    "AFFINE-8": ("*.biased", "*.attention.[qkv]"),
    "AFFINE-9": ("*.weighted_norm.?", "*.rope.?", "*.attention.v"),
    "DEC-1": ("embedding",),
    "DEC-2": (*NORM, *RESIDUAL),
    "DEC-3": NORM,
    "DEC-4": ("*.attention.[qkv]", *SCORES, "*.heads"),
    "DEC-5": ("*.rope.?",),
    "DEC-6": ("*.rope.?",),
    "DEC-7": ("*.qk_norm.?",),
    "DEC-8": ("*.temperature.q",),
    "DEC-9": SCORES,
    "DEC-10": (*MASK, *CACHE),
    "DEC-11": (*MASK, "*.heads"),
    "DEC-12": ("*.hidden",),
    "DEC-13": ("*.hidden",),
    "DEC-14": ("*.router", "*.expert", "*.score", "*.scaled", "*.mixture"),
    "DEC-15": ("*.mixture", "*.shared.*.input", "*.shared.*.scale"),
    "DEC-16": ("norm", "lm_head"),
    "DEC-17": (*CACHE, *MASK, "*.rope.?", "*.temperature.q", "embedding"),
}
"""The operations that are right to blame for a mutant of a rule, as patterns of names."""

SPECIAL_OPERATIONS = {
    "bias-in-binary16": ("*.biased",),
    "biased-in-binary16": ("*.biased", "*.attention.[qkv]"),
    "head-norm-weights-in-binary16": ("*.weighted_norm.?",),
    "weighted-norm-in-binary16": ("*.weighted_norm.?",),
    "stream-in-binary16": RESIDUAL,
    "scores-in-binary16": SCORES,
    "queries-in-binary16": SCORES,
    "softmax-in-binary16": MASK,
    "router-input-in-binary16": ("*.router",),
    "norm-in-binary16": NORM,
    "logits-in-binary16": ("lm_head",),
    "router-values-in-binary16": ("*.expert", "*.score"),
    "router-score-in-binary16": ("*.score",),
    "temperature-in-binary16": ("*.temperature.q",),
    "root-of-head-dim-in-binary16": SCORES,
    "positions-from-1": ("*.rope.?", "*.temperature.q"),
}
"""The same for mutants whose rule does not determine the operation."""


@dataclass(frozen=True)
class Blame:
    """What one trace of a mutant showed: the operation that is blamed, and the misreadings that are named."""

    vector: str
    operation: str
    titles: tuple[str, ...]


def right_operation(name: str, operation: str) -> bool:
    """Whether an operation is right to blame for a mutant."""
    rule = MUTANTS[name].rule.removeprefix("LLQ-")
    patterns = SPECIAL_OPERATIONS.get(name) or OPERATIONS[rule]
    return any(fnmatch(operation, pattern) for pattern in patterns)


def blames(name: str, *, foreign: bool = False) -> list[Blame]:
    """Return what traces of a mutant show on the first vectors that it fails."""
    mutants = [FOREIGN, MUTANTS[name]] if foreign else [MUTANTS[name]]
    runtime = InProcessRuntime(MutantRuntime(mutants, opened=with_tensors), 120)
    found: list[Blame] = []
    for vector in _vectors(name):
        members = vector.members
        try:
            first = located(runtime, vector, vector.package, members["tokens"], members["splits"])
        except Exception:  # noqa: BLE001, S112 - a mutant may fail in any way
            continue
        if first is not None:
            found.append(Blame(vector.id, first.operation.name, tuple(first.misreadings)))
        if len(found) == MOST:
            break
    return found


def _vectors(name: str) -> list[Vector]:
    """Return the vectors of logits, those first whose logits the mutant fails; long sequences last."""
    kills = saved_matrix().kills.get(name, frozenset())
    vectors = [vector for vector in load() if vector.kind == "logits"]
    short = [vector for vector in vectors if len(vector.members["tokens"]) <= LONG]
    killing = [vector for vector in vectors if f"logits-{vector.id}" in kills]
    order = sorted(killing, key=lambda vector: len(vector.members["tokens"]))
    return order + [vector for vector in short if vector not in order]


Blames = dict[str, tuple[list[Blame], list[Blame]]]
"""By the name of the mutant: as it is, and in the arithmetic of another runtime."""


def measure(names: Sequence[str]) -> Blames:
    """Return what traces show of mutants."""
    return {name: (blames(name), blames(name, foreign=True)) for name in names}


def measured_mutants() -> list[str]:
    """Return the mutants of computations, which change one operation."""
    return [name for name, mutant in MUTANTS.items() if mutant.check in COMPUTED]


def save(measured: Blames, path: Path = MEASURED) -> None:
    """Write the blames of all mutants, one mutant a line."""
    lines = [
        f" {json.dumps(name)}: {json.dumps([[asdict(blame) for blame in part] for part in pair])}"
        for name, pair in measured.items()
    ]
    replace_file(path, "{\n" + ",\n".join(lines) + "\n}\n")


def saved(path: Path = MEASURED) -> Blames:
    """Return what was measured last."""
    entries = json.loads(path.read_text(encoding="utf-8"))
    return {name: (_blames(own), _blames(foreign)) for name, (own, foreign) in entries.items()}


def _blames(entries: list[dict[str, str]]) -> list[Blame]:
    return [Blame(e["vector"], e["operation"], tuple(e["titles"])) for e in entries]


@dataclass(frozen=True)
class Rates:
    """Counts of mutants: seen in a trace; blamed on the right operation alone; named, and named wrongly."""

    seen: int
    right: int
    named: int
    misnamed: int

    def __str__(self) -> str:
        """Return the rates in a line."""
        return (
            f"{self.seen} mutants seen, {self.right} blamed on the right operation "
            f"({100 * self.right / max(self.seen, 1):.1f} %), {self.named} named, "
            f"{self.misnamed} named wrongly ({100 * self.misnamed / max(self.seen, 1):.1f} %)"
        )


def shown_mutants() -> list[str]:
    """Return the measured mutants whose logits are wrong on a vector."""
    asked = {f"logits-{vector.id}" for vector in load() if vector.kind == "logits"}
    kills = saved_matrix().kills
    return [name for name in measured_mutants() if kills[name] & asked]


def rates(measured: Blames, arithmetic: int) -> Rates:
    """Return the rates of mutants as they are (0), or in the arithmetic of another runtime (1)."""
    parts = {name: pair[arithmetic] for name, pair in measured.items() if pair[arithmetic]}
    right = [name for name, part in parts.items() if all(right_operation(name, b.operation) for b in part)]
    titles = {name: [blame.titles for blame in part if blame.titles] for name, part in parts.items()}
    named = [name for name, found in titles.items() if any(MUTANTS[name].title in t for t in found)]
    misnamed = [name for name, found in titles.items() if any(MUTANTS[name].title not in t for t in found)]
    return Rates(len(parts), len(right), len(named), len(misnamed))


def exceptions(measured: Blames) -> Iterator[str]:
    """Yield a line for each mutant that no trace shows, or that is blamed or named wrongly."""
    for name, pair in measured.items():
        for arithmetic, part in zip(("own", "foreign"), pair, strict=True):
            if not part:
                yield f"{name} ({arithmetic}): no trace shows it"
            for blame in part:
                if not right_operation(name, blame.operation):
                    yield f"{name} ({arithmetic}): {blame.operation} is blamed on {blame.vector}"
                if blame.titles and MUTANTS[name].title not in blame.titles:
                    yield f"{name} ({arithmetic}): named {' or '.join(blame.titles)} on {blame.vector}"


def main() -> int:
    """Measure, write the file and print the rates and the exceptions."""
    argparse.ArgumentParser(
        prog="python -m conformance.measurement.localisation", description=__doc__
    ).parse_args()
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # the library reads it as a process of the pool begins
    names = measured_mutants()
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        parts = list(pool.map(measure, [names[0::2], names[1::2]]))
    together = parts[0] | parts[1]
    measured = {name: together[name] for name in names}
    save(measured)
    for arithmetic, title in enumerate(("own arithmetic", "foreign arithmetic")):
        sys.stdout.write(f"{title}: {rates(measured, arithmetic)}\n")
    sys.stdout.writelines(f"{line}\n" for line in exceptions(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())
