"""The kill matrix as data, quick.json: which question catches which mutant, and how verdicts are wrong."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from ..core.file_replacement import replace_file

MATRIX = Path(__file__).parent / "quick.json"

Kills = Mapping[str, frozenset[str]]
"""For each mutant the questions, `check-vector`, whose answers were bad."""

Headlines = Mapping[str, Mapping[str, str]]
"""For each mutant that a check of verdicts must kill: the failed questions and their headlines."""


_ABSOLUTE_PATH = re.compile(r"'/(?:[^'/]*/)*([^'/]+)'")


def portable_headline(headline: str) -> str:
    """Return a headline with absolute paths cut to file names, so that it is the same on every machine."""
    return _ABSOLUTE_PATH.sub(r"'\1'", headline)


@dataclass(frozen=True)
class KillMatrix:
    """What a sweep found.

    quick: the questions of `--quick`. alike: groups of mutants that gave the same answers to all questions.
    complete: whether each mutant was asked everything that could see it.
    """

    kills: Kills
    quick: Sequence[str]
    alike: Sequence[Sequence[str]] = ()
    headlines: Headlines = field(default_factory=dict)
    complete: bool = True

    @property
    def questions(self) -> list[str]:
        """All questions that catch a mutant, in alphabetical order."""
        return sorted({question for killers in self.kills.values() for question in killers})


def save(matrix: KillMatrix, path: Path = MATRIX) -> None:
    """Write a matrix, a row of hexadecimal bits for each mutant; atomically."""
    order = matrix.questions
    number = {question: i for i, question in enumerate(order)}
    headlines = sorted({line for lines in matrix.headlines.values() for line in lines.values()})
    line_number = {line: i for i, line in enumerate(headlines)}
    value = {
        "complete": matrix.complete,
        "quick": list(matrix.quick),
        "alike": [list(group) for group in matrix.alike],
        "questions": order,
        "mutants": {
            name: f"{sum(1 << number[q] for q in killers):x}" for name, killers in matrix.kills.items()
        },
        "said": headlines,
        "headlines": {
            name: " ".join(str(line_number[lines[q]]) for q in sorted(lines))
            for name, lines in matrix.headlines.items()
        },
    }
    replace_file(path, json.dumps(value, indent=1) + "\n")
    saved.cache_clear()


@cache
def saved(path: Path = MATRIX) -> KillMatrix:
    """Return the matrix that `save` wrote; a file is read once."""
    value = json.loads(path.read_text(encoding="utf-8"))
    kills = {
        name: frozenset(
            q for q, bit in zip(value["questions"], f"{int(row, 16):b}"[::-1], strict=False) if bit == "1"
        )
        for name, row in value["mutants"].items()
    }
    headlines = {
        name: {
            question: value["said"][int(line)]
            for question, line in zip(sorted(kills[name]), lines.split(), strict=True)
        }
        for name, lines in value["headlines"].items()
    }
    alike = tuple(tuple(group) for group in value["alike"])
    return KillMatrix(kills, value["quick"], alike, headlines, value["complete"])
