"""How often the suite attributes a mutant to its cause: `python -m conformance.measurement.attribution`.

Each mutant answers the questions of its lowest check that kill it. The mutants that its failures name are
compared with it. Mutants of computations run twice: unchanged, and with the arithmetic of another runtime, in
which every operation has an error of the size that is legal. Verdicts come from the kill matrix. The module
writes `attribution.json`, from which the site makes its table of mutants.
"""

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from ..core.check import Outcome, Result
from ..core.file_replacement import replace_file
from ..core.rules import registry
from ..core.vectors import Vector
from ..diagnosis.causes import common_misreading, common_verdict
from ..diagnosis.rule_status import rule_of_withholding
from ..mutation.conforming.over_reference import disturbed
from ..mutation.kill_matrix import saved as saved_matrix
from ..mutation.mutants import MUTANTS, Mutant, MutantRuntime
from ..runtimes.in_process import InProcessRuntime
from .build import VERDICTS, questions

MEASURED = Path(__file__).parent / "attribution.json"
"""What was measured last, by the name of the mutant: an attribution for each arithmetic."""

COMPUTED = ("activations", "matvec", "logits", "generate")
FOREIGN = Mutant("foreign", "", "", (), disturbed(7))
"""Nothing wrong, but the arithmetic of another runtime."""


@dataclass(frozen=True)
class Attribution:
    """What the failures of a mutant name.

    failures: number of questions that failed.
    correct: number of failures that name the mutant. incorrect: number of failures that name only others.
    blamed: the mutant's rule if it is blamed, otherwise the rule blamed most often.
    other_titles: titles of the mutants that are named incorrectly.
    """

    failures: int
    correct: int
    incorrect: int
    blamed: str
    other_titles: tuple[str, ...] = ()

    @property
    def attributed(self) -> bool:
        """Whether the mutant is named, and nothing else."""
        return self.correct > 0 and not self.incorrect


def answers(name: str, *, foreign: bool = False) -> list[Result]:
    """Return what came of the questions of a mutant's lowest check, or of all about verdicts.

    Those that do not catch it, as the kill matrix has it, are not asked again; verdicts are the matrix's.
    """
    mutant, matrix = MUTANTS[name], saved_matrix()
    tested_runtime = InProcessRuntime(MutantRuntime([FOREIGN, mutant] if foreign else [mutant]), 60)
    tested_runtime.capabilities -= {"trace"}  # localisation.py measures names that need a trace
    headlines = matrix.headlines.get(name)
    results = []
    with tempfile.TemporaryDirectory() as workspace:
        for check, vector in questions(VERDICTS if headlines else (mutant.check,)):
            result_of = partial(Result, check.name, check.needs, vector.id, vector.rules)
            question = f"{check.name}-{vector.id}"
            if question not in matrix.kills[name]:
                results.append(result_of(Outcome.PASSED))
            elif headlines:
                results.append(
                    result_of(
                        Outcome.FAILED,
                        headlines[question],
                        "",
                        _blamed(check.name, vector, headlines[question]),
                    )
                )
            else:
                results.append(check(tested_runtime, vector, Path(workspace, check.name)))
    return results


def _blamed(check: str, vector: Vector, headline: str) -> tuple[str, ...]:
    """Return the rule that the check blames, as it has it in its headline."""
    if check == "withhold":
        return (rule_of_withholding(vector.rules),)
    last_word = headline.rsplit(maxsplit=1)[-1]
    return (last_word if check == "accept" and last_word in registry() else vector.rules[0],)


def measure(name: str, *, foreign: bool = False) -> Attribution:
    """Ask a mutant what its lowest check asks, and count what its failures name."""
    mutant = MUTANTS[name]
    results = answers(name, foreign=foreign)
    failures = [result for result in results if result.outcome is Outcome.FAILED]
    blamed = Counter(result.broken[0] for result in failures)
    named_titles = [titles for titles in _named_titles(mutant, results, failures) if titles]
    correct = sum(mutant.title in titles for titles in named_titles)
    other_titles = dict.fromkeys(
        title for titles in named_titles if mutant.title not in titles for title in titles
    )
    top_rule = max(blamed, key=lambda rule: (rule == mutant.rule, blamed[rule]), default="")
    return Attribution(len(failures), correct, len(named_titles) - correct, top_rule, tuple(other_titles))


def _named_titles(
    mutant: Mutant, results: Sequence[Result], failures: Sequence[Result]
) -> Iterator[Sequence[str]]:
    """Return the titles that failures name; of decoding and verdicts what all of them together name."""
    if mutant.check in VERDICTS:
        common = common_verdict(results)
        yield [common.name] if common else []
    elif mutant.check == "decode" and (shared := common_misreading(failures)):
        yield from [[shared.name]] * len(failures)
    else:
        yield from (list(result.misreadings) for result in failures if "equals" in result.headline)


Attributions = tuple[Attribution, Attribution | None]
"""What a mutant is called as it is and, if it computes, in the arithmetic of a foreign runtime."""


def attributions_of(name: str) -> Attributions:
    """Return what a mutant is called, as it is and, if it computes, as a foreign runtime."""
    return measure(name), measure(name, foreign=True) if MUTANTS[name].check in COMPUTED else None


def save(attributions: dict[str, Attributions], path: Path = MEASURED) -> None:
    """Write the attributions of all mutants, one mutant a line."""
    lines = [
        f" {json.dumps(name)}: {json.dumps([asdict(entry) for entry in pair if entry])}"
        for name, pair in attributions.items()
    ]
    replace_file(path, "{\n" + ",\n".join(lines) + "\n}\n")


def saved(path: Path = MEASURED) -> dict[str, Attributions]:
    """Return the attributions that were measured last, by the name of the mutant."""
    entries = json.loads(path.read_text(encoding="utf-8"))
    return {name: _attributions(*pair) for name, pair in entries.items()}


def _attributions(own: dict[str, Any], foreign: dict[str, Any] | None = None) -> Attributions:
    return _attribution(own), _attribution(foreign) if foreign else None


def _attribution(entry: dict[str, Any]) -> Attribution:
    return Attribution(**entry | {"other_titles": tuple(entry["other_titles"])})


def table(attributions: dict[str, Attributions]) -> str:
    """Return the page."""
    nameable = [name for name in attributions if not MUTANTS[name].unnamed]
    lines = [
        "# Mutants and the diagnosis of their failures\n",
        "The suite infers the likely bug from the failures of a runtime. These tables show how often it",
        "names a mutant correctly. Each row of the second table is one mutant. *Blamed* is the rule that its",
        "failures cite. *Named* counts the failures of its lowest failing check that name this mutant, alone",
        "or together with an indistinguishable one. *Foreign* is the same count for the mutant in different",
        "arithmetic. Verdicts and decoded tensors are explained together, so all of them name the mutant or",
        "none does. `python -m conformance.measurement.attribution` measures the figures.\n",
        *_rates(attributions, nameable),
        "\n| mutant | title | seen by | blamed | named | foreign | other mutants named |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, (own, foreign) in attributions.items():
        mutant = MUTANTS[name]
        other_titles = "; ".join(
            dict.fromkeys((*own.other_titles, *(foreign.other_titles if foreign else ())))
        )
        cells = [
            f"`{name}`",
            mutant.title.replace("|", r"\|") + (f" (not named: {mutant.unnamed})" if mutant.unnamed else ""),
            mutant.check,
            own.blamed,
            f"{own.correct} of {own.failures}" if mutant.check not in VERDICTS else _yes_or_no(own),
            f"{foreign.correct} of {foreign.failures}" if foreign else "",
            other_titles,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _yes_or_no(attribution: Attribution) -> str:
    return "yes" if attribution.attributed else "no"


def _rates(attributions: dict[str, Attributions], nameable: Sequence[str]) -> Iterator[str]:
    yield "| seen by | mutants | named correctly | incorrectly | foreign | named correctly | incorrectly |"
    yield "|---|---|---|---|---|---|---|"
    checks = list(dict.fromkeys(MUTANTS[name].check for name in nameable))
    for check in [*checks, "all"]:
        own = [attributions[name][0] for name in nameable if check in (MUTANTS[name].check, "all")]
        foreign_attributions = [
            pair[1]
            for name in nameable
            if check in (MUTANTS[name].check, "all") and (pair := attributions[name])
        ]
        foreign = [attribution for attribution in foreign_attributions if attribution]
        cells = [check, str(len(own)), *_counts(own), str(len(foreign) or ""), *_counts(foreign)]
        yield f"| {' | '.join(cells)} |"


def _counts(attributions: Sequence[Attribution]) -> list[str]:
    if not attributions:
        return ["", ""]
    correct = sum(attribution.attributed for attribution in attributions)
    incorrect = sum(attribution.incorrect > 0 for attribution in attributions)
    return [f"{correct} ({100 * correct / len(attributions):.1f} %)", str(incorrect)]


def main() -> int:
    """Measure, write the file and print the rates."""
    parser = argparse.ArgumentParser(
        prog="python -m conformance.measurement.attribution", description=__doc__
    )
    parser.add_argument("--new", action="store_true", help="Measure only the mutants that the file lacks.")
    known = saved() if parser.parse_args().new else {}
    names = [name for name in MUTANTS if name not in known]
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # the library reads it as a process of the pool begins
    groups = [[n for n in names if (MUTANTS[n].check == "logits") == logits] for logits in (True, False)]
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:  # one process has computed all that one needs
        parts = list(pool.map(_all, groups))
    attributions = known | {name: attribution for part in parts for name, attribution in part.items()}
    save({name: attributions[name] for name in MUTANTS})
    sys.stdout.writelines(
        line + "\n" for line in _rates(attributions, [n for n in attributions if not MUTANTS[n].unnamed])
    )
    return 0


def _all(names: Sequence[str]) -> dict[str, Attributions]:
    return {name: attributions_of(name) for name in names}


if __name__ == "__main__":
    sys.exit(main())
