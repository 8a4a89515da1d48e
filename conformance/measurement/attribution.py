"""How often the suite attributes a mutant to its cause: `python -m conformance.measurement.attribution`.

Each mutant is asked the questions of its lowest check that catch it, and what its failures name is compared
with it. Those that compute are asked twice: as they are, and with the arithmetic of another runtime (every
operation off by as much as a legal one may be), for a foreign runtime never equals ours bit for bit. Verdicts
are those of the kill matrix. It writes `attribution.json`, from which the site makes its table of mutants.
"""

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
from ..diagnosis.rule_status import CHECKS_BEFORE_RETURNING
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

    failed: how many questions failed. right, wrong: how many failures name the mutant, or others only.
    blamed: the mutant's rule, if it is blamed, else the one blamed most. others: what is named wrongly.
    """

    failed: int
    right: int
    wrong: int
    blamed: str
    others: tuple[str, ...] = ()

    @property
    def named(self) -> bool:
        """Whether the mutant is named, and nothing else."""
        return self.right > 0 and not self.wrong


def answers(name: str, *, foreign: bool = False) -> list[Result]:
    """Return what came of the questions of a mutant's lowest check, or of all about verdicts.

    Those that do not catch it, as the kill matrix has it, are not asked again; verdicts are the matrix's.
    """
    mutant, matrix = MUTANTS[name], saved_matrix()
    asked = InProcessRuntime(MutantRuntime([FOREIGN, mutant] if foreign else [mutant]), 60)
    said = matrix.headlines.get(name)
    results = []
    with tempfile.TemporaryDirectory() as workspace:
        for check, vector in questions(VERDICTS if said else (mutant.check,)):
            known = partial(Result, check.name, check.needs, vector.id, vector.rules)
            question = f"{check.name}-{vector.id}"
            if question not in matrix.kills[name]:
                results.append(known(Outcome.PASSED))
            elif said:
                results.append(
                    known(Outcome.FAILED, said[question], "", _blamed(check.name, vector, said[question]))
                )
            else:
                results.append(check(asked, vector, Path(workspace, check.name)))
    return results


def _blamed(check: str, vector: Vector, headline: str) -> tuple[str, ...]:
    """Return the rule that the check blames, as it has it in its headline."""
    if check == "withhold":
        return (CHECKS_BEFORE_RETURNING,)
    last = headline.rsplit(maxsplit=1)[-1]
    return (last if check == "accept" and last in registry() else vector.rules[0],)


def measure(name: str, *, foreign: bool = False) -> Attribution:
    """Ask a mutant what its lowest check asks, and count what its failures name."""
    mutant = MUTANTS[name]
    results = answers(name, foreign=foreign)
    failed = [result for result in results if result.outcome is Outcome.FAILED]
    blamed = Counter(result.broken[0] for result in failed)
    told = [titles for titles in _named_titles(mutant, results, failed) if titles]
    right = sum(mutant.title in titles for titles in told)
    others = dict.fromkeys(title for titles in told if mutant.title not in titles for title in titles)
    most = max(blamed, key=lambda rule: (rule == mutant.rule, blamed[rule]), default="")
    return Attribution(len(failed), right, len(told) - right, most, tuple(others))


def _named_titles(
    mutant: Mutant, results: Sequence[Result], failed: Sequence[Result]
) -> Iterator[Sequence[str]]:
    """Return the titles that failures name; of decoding and verdicts what all of them together name."""
    if mutant.check in VERDICTS:
        common = common_verdict(results)
        yield [common.name] if common else []
    elif mutant.check == "decode" and (shared := common_misreading(failed)):
        yield from [[shared.name]] * len(failed)
    else:
        yield from (list(result.misreadings) for result in failed if "equals" in result.headline)


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
    return Attribution(**entry | {"others": tuple(entry["others"])})


def table(found: dict[str, Attributions]) -> str:
    """Return the page."""
    nameable = [name for name in found if not MUTANTS[name].unnamed]
    lines = [
        "# Mutants: the rule blamed, the mutant named\n",
        "Each line is a runtime that is wrong in one thing. *Blamed* is the rule that its failures cite,",
        "*named* how many failures of its lowest check name this mutant, alone or beside one that computes",
        "the same, *foreign* the same for a runtime that is wrong so in other arithmetic. Verdicts and",
        "decoded tensors are explained together, so there it is all or nothing. Measured and written by",
        "`python -m conformance.measurement.attribution`.\n",
        *_rates(found, nameable),
        "\n| mutant | title | seen by | blamed | named | foreign | named wrongly |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, (own, foreign) in found.items():
        mutant = MUTANTS[name]
        others = "; ".join(dict.fromkeys((*own.others, *(foreign.others if foreign else ()))))
        cells = [
            f"`{name}`",
            mutant.title.replace("|", r"\|") + (f" (not named: {mutant.unnamed})" if mutant.unnamed else ""),
            mutant.check,
            own.blamed,
            f"{own.right} of {own.failed}" if mutant.check not in VERDICTS else _yes_or_no(own),
            f"{foreign.right} of {foreign.failed}" if foreign else "",
            others,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _yes_or_no(attribution: Attribution) -> str:
    return "yes" if attribution.named else "no"


def _rates(found: dict[str, Attributions], nameable: Sequence[str]) -> Iterator[str]:
    yield "| seen by | mutants | named rightly | wrongly | foreign | named rightly | wrongly |"
    yield "|---|---|---|---|---|---|---|"
    checks = list(dict.fromkeys(MUTANTS[name].check for name in nameable))
    for check in [*checks, "all"]:
        own = [found[name][0] for name in nameable if check in (MUTANTS[name].check, "all")]
        other = [
            pair[1] for name in nameable if check in (MUTANTS[name].check, "all") and (pair := found[name])
        ]
        foreign = [attribution for attribution in other if attribution]
        cells = [check, str(len(own)), *_counts(own), str(len(foreign) or ""), *_counts(foreign)]
        yield f"| {' | '.join(cells)} |"


def _counts(attributions: Sequence[Attribution]) -> list[str]:
    if not attributions:
        return ["", ""]
    right = sum(attribution.named for attribution in attributions)
    wrong = sum(attribution.wrong > 0 for attribution in attributions)
    return [f"{right} ({100 * right / len(attributions):.1f} %)", str(wrong)]


def main() -> int:
    """Measure, write the file and print the rates."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # the library reads it as a process of the pool begins
    groups = [[n for n in MUTANTS if (MUTANTS[n].check == "logits") == logits] for logits in (True, False)]
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:  # one process has computed all that one needs
        parts = list(pool.map(_all, groups))
    found = {name: one for part in parts for name, one in part.items()}
    save({name: found[name] for name in MUTANTS})
    sys.stdout.writelines(line + "\n" for line in _rates(found, [n for n in found if not MUTANTS[n].unnamed]))
    return 0


def _all(names: Sequence[str]) -> dict[str, Attributions]:
    return {name: attributions_of(name) for name in names}


if __name__ == "__main__":
    sys.exit(main())
