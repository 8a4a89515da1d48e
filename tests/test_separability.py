"""The kill matrix and the quick set are those of the mutants and vectors that there are."""

import random
from pathlib import Path

import pytest

from conformance import kill_page, recognition, separability
from conformance.check import Outcome
from conformance.inprocess import InProcess
from conformance.mutants import MUTANTS, runtime
from conformance.quick import quick
from conformance.registry import registry

KILLS, QUICK, COMPLETE = separability.saved()
QUESTIONS = {
    f"{check.name}-{vector.id}": (check, vector)
    for check, vector in separability.questions(separability.ABOVE)
}
WITHOUT_MUTANT = {
    "LLQ-ACT-5": "states what ACT-2 leaves open: whoever breaks it breaks ACT-2",
    "LLQ-NUM-4": "bounds what other rules ask to be computed: each mutant of these breaks it too",
    "LLQ-READ-3": "about memory, which no answer shows: tests of the library measure it",
}
"""Rules that vectors are about and that no mutant breaks, and why."""

NOT_YET = "program"
"""The stage whose rules have no mutants yet."""


def test_every_rule_that_is_checked_is_broken_by_a_mutant_or_says_why_not() -> None:
    broken = {mutant.rule for mutant in MUTANTS.values()}
    cited = {rule for _, vector in QUESTIONS.values() for rule in vector.rules}
    checked = {rule for rule in cited if registry()[rule].stage != NOT_YET}
    assert checked - broken == set(WITHOUT_MUTANT)
    assert set(WITHOUT_MUTANT) <= set(registry())


def test_the_matrix_is_that_of_the_mutants_and_questions_that_there_are() -> None:
    assert set(KILLS) == set(MUTANTS)
    assert {question for found in KILLS.values() for question in found} <= set(QUESTIONS)
    assert quick() == set(QUICK)


def test_the_quick_set_catches_every_mutant() -> None:
    assert [name for name, found in KILLS.items() if not found & set(QUICK)] == []


SAMPLE = random.Random(5).sample(sorted(MUTANTS), 40)  # noqa: S311 - a sample


@pytest.mark.parametrize("name", SAMPLE)
def test_what_the_matrix_says_is_so(name: str, tmp_path: Path) -> None:
    asked = InProcess(runtime(name), 60)
    with recognition.silent():
        for question in sorted(KILLS[name])[:3]:
            check, vector = QUESTIONS[question]
            assert check(asked, vector, tmp_path / check.name).outcome is not Outcome.PASSED, question


def test_the_page_is_that_of_the_matrix() -> None:
    assert kill_page.PAGE.read_text(encoding="utf-8") == kill_page.page(KILLS, QUICK, complete=COMPLETE)


def test_the_cover_is_small_and_whole() -> None:
    kills = {"a": frozenset("xy"), "b": frozenset("yz"), "c": frozenset("z"), "d": frozenset()}
    assert separability.cover(kills, {}) == ["x", "z"] or separability.cover(kills, {}) == ["y", "z"]
    assert separability.twins({"a": frozenset("x"), "b": frozenset("x"), "c": frozenset()}) == [("a", "b")]
