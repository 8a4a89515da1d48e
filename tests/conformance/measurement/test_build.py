"""The kill matrix and the quick set match the current mutants and vectors."""

import random
from pathlib import Path

import pytest

from conformance.core.check import Outcome
from conformance.core.rules import registry
from conformance.diagnosis import recognition
from conformance.measurement import build
from conformance.mutation.kill_matrix import KillMatrix, portable_headline, save, saved
from conformance.mutation.mutants import MUTANTS, runtime
from conformance.mutation.quick import quick
from conformance.runtimes.in_process import InProcessRuntime
from tests.support.timeouts import seconds

pytestmark = pytest.mark.slow

MATRIX = saved()
KILLS, QUICK = MATRIX.kills, MATRIX.quick
QUESTIONS = {
    f"{check.name}-{vector.id}": (check, vector) for check, vector in build.questions(build.CHECKS_THAT_SEE)
}
WITHOUT_MUTANT = {
    "LLQ-ACT-5": "states what ACT-2 leaves open: whoever breaks it breaks ACT-2",
    "LLQ-NUM-4": "bounds what other rules ask to be computed: each mutant of these breaks it too",
    "LLQ-READ-3": "about memory, which no answer shows: tests of the library measure it",
}
"""Rules that vectors are about and that no mutant breaks, and why."""


def test_every_rule_that_is_checked_is_broken_by_a_mutant_or_says_why_not() -> None:
    broken = {mutant.rule for mutant in MUTANTS.values()}
    checked = {rule for _, vector in QUESTIONS.values() for rule in vector.rules}
    assert checked - broken == set(WITHOUT_MUTANT)
    assert set(WITHOUT_MUTANT) <= set(registry())


def test_some_question_distinguishes_every_two_mutants() -> None:
    assert MATRIX.complete, RUN
    assert MATRIX.alike == (), RUN


def test_the_matrix_is_that_of_the_mutants_and_questions_that_there_are() -> None:
    assert set(KILLS) == set(MUTANTS), RUN
    assert set(MATRIX.questions) <= set(QUESTIONS), RUN
    assert quick() == set(QUICK)


def test_the_quick_set_catches_every_mutant() -> None:
    assert [name for name, checks in KILLS.items() if not checks & set(QUICK)] == []


RUN = "run `python -m conformance.measurement.build`"
SAMPLE = random.Random(5).sample(sorted(MUTANTS), 40)  # noqa: S311 - a sample


@pytest.mark.parametrize("name", SAMPLE)
def test_what_the_matrix_says_is_so(name: str, tmp_path: Path) -> None:
    """Of each sampled mutant some questions of either kind: those that catch it, and those that do not."""
    draw = random.Random(name)  # noqa: S311 - a sample
    subject = InProcessRuntime(runtime(name), seconds(60))
    own = sorted(f"{c.name}-{v.id}" for c, v in build.questions(build.CHECKS_THAT_SEE[MUTANTS[name].check]))
    caught = draw.sample(sorted(KILLS[name]), min(4, len(KILLS[name])))
    survived = sorted({*own} - KILLS[name] - {f"refuse-{slow}" for slow in build.SLOW})
    survived = draw.sample(survived, min(8, len(survived)))
    with recognition.silent():
        for question in caught + survived:
            check, vector = QUESTIONS[question]
            result = check(subject, vector, tmp_path / check.name)
            assert (result.outcome is not Outcome.PASSED) == (question in caught), (question, RUN)
            headline = MATRIX.headlines.get(name, {}).get(question, result.headline)
            assert headline == result.headline, (question, RUN)


def test_a_mutant_need_not_be_asked_where_it_overlooks_nothing(tmp_path: Path) -> None:
    """What the sweep leaves out is answered as the reference answers."""
    overlooking = [mutant for mutant in MUTANTS.values() if mutant.overlooks]
    draw = random.Random(6)  # noqa: S311 - a sample
    for mutant in draw.sample(overlooking, 12):
        concerned = {(c.name, v.id) for c, v in build.concerned(mutant)}
        unconcerned = [q for q in build.questions(["refuse"]) if (q[0].name, q[1].id) not in concerned]
        for check, vector in draw.sample([q for q in unconcerned if q[1].id not in build.SLOW], 20):
            workspace = tmp_path / mutant.name / check.name  # mutants may be asked the same question
            result = check(InProcessRuntime(runtime(mutant.name), seconds(60)), vector, workspace)
            assert result.outcome is Outcome.PASSED, (mutant.name, vector.id)


def test_the_matrix_is_read_as_it_was_written(tmp_path: Path) -> None:
    matrix = KillMatrix(
        {"a": frozenset({"refuse-x", "refuse-y"}), "b": frozenset()},
        ["refuse-x"],
        (("a", "b"),),
        {"a": {"refuse-x": "accepted", "refuse-y": "refused"}},
        complete=False,
    )
    save(matrix, tmp_path / "quick.json")
    assert saved(tmp_path / "quick.json") == matrix


def test_the_cover_is_small_and_whole() -> None:
    kills = {"a": frozenset("xy"), "b": frozenset("yz"), "c": frozenset("z"), "d": frozenset()}
    assert build.cover(kills, {}) == ["x", "z"] or build.cover(kills, {}) == ["y", "z"]


def test_twins_are_those_that_answer_the_same() -> None:
    first, second = {"x": ("refused", "00")}, {"x": ("refused", "01")}
    assert build.indistinguishable_mutants({"a": first, "b": second, "c": first, "d": {}}) == [("a", "c")]


def test_headlines_name_no_path_of_the_machine_that_measured_them() -> None:
    headline = "FileNotFoundError: '/somewhere/vectors/data/invalid/file-missing/package/vector.wgsl'"
    assert portable_headline(headline) == "FileNotFoundError: 'vector.wgsl'"
    lines = [line for lines in saved().headlines.values() for line in lines.values()]
    assert [line for line in lines if "'/" in line] == []
