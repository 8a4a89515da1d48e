"""Failures name the mutant, in our arithmetic and in that of others, and no other mutant.

`python -m conformance.measurement.attribution` measures it on all; here are samples.
"""

import random
from pathlib import Path

import pytest

from conformance.core.check import Outcome, Result
from conformance.diagnosis import recognition
from conformance.diagnosis.causes import causes, common_verdict
from conformance.measurement import attribution
from conformance.measurement.build import VERDICTS, questions
from conformance.mutation.kill_matrix import saved
from conformance.mutation.mutants import CONTROL, MUTANTS, MutantRuntime
from conformance.runtimes.in_process import InProcessRuntime
from tests.support.timeouts import seconds

pytestmark = pytest.mark.slow

KILLS = saved().kills
VECTOR = "llama-4"
CAUGHT = [n for n, m in MUTANTS.items() if m.check == "logits" and f"logits-{VECTOR}" in KILLS[n]]
SAMPLE = random.Random(8).sample(CAUGHT, 16)  # noqa: S311 - a sample
QUESTIONS = {f"{check.name}-{vector.id}": (check, vector) for check, vector in questions(["logits"])}


@pytest.mark.parametrize("name", SAMPLE)
@pytest.mark.parametrize("foreign", [False, True], ids=["own", "foreign"])
def test_wrong_logits_are_named(name: str, tmp_path: Path, *, foreign: bool) -> None:
    check, vector = QUESTIONS[f"logits-{VECTOR}"]
    mutants = [attribution.FOREIGN, MUTANTS[name]] if foreign else [MUTANTS[name]]
    result = check(InProcessRuntime(MutantRuntime(mutants), seconds(60)), vector, tmp_path)
    assert result.outcome is Outcome.FAILED
    assert MUTANTS[name].title in result.misreadings


def test_an_explanation_computes_only_answers_that_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the mutants that the question kills, so that an explanation takes a second or less."""
    answers: dict[tuple[str, str, str, str], object] = {}
    monkeypatch.setattr(recognition, "_cached_answers", answers)
    check, vector = QUESTIONS["logits-chunks-int8"]
    mutant = MutantRuntime([MUTANTS["chunks-ignored"]])
    mutant.capabilities -= {"trace"}  # a trace names the operation without the answers of mutants
    result = check(InProcessRuntime(mutant, seconds(60)), vector, tmp_path)
    assert result.misreadings
    killed = {name for name in MUTANTS if "logits-chunks-int8" in KILLS[name]}
    computed = {name for _, _, _, name in answers}
    assert "chunks-ignored" in computed <= {CONTROL, *killed}
    assert len(killed) < len(MUTANTS) / 2


OF_VERDICTS = [name for name, mutant in MUTANTS.items() if mutant.check in VERDICTS]


def test_mutants_of_validators_are_named_by_the_pattern_of_their_verdicts() -> None:
    """All of them, from the patterns of the matrix: those that no other mutant shares have a name."""
    verdicts = {name: common_verdict(attribution.answers(name)) for name in OF_VERDICTS}
    wrong = {n: c.name for n, c in verdicts.items() if c is not None and c.name != MUTANTS[n].title}
    assert wrong == {}
    assert sum(common is not None for common in verdicts.values()) >= 0.95 * len(OF_VERDICTS)


def test_a_pattern_that_no_mutant_has_is_not_named() -> None:
    results = attribution.answers("scale-nan-accepted")
    failed = [i for i, result in enumerate(results) if result.outcome is Outcome.FAILED]
    assert common_verdict(results) is not None
    number = next(i for i, result in enumerate(results) if result.check == "refuse" and i not in failed)
    results[number] = Result(
        "refuse",
        ("reject",),
        results[number].vector,
        results[number].rules,
        Outcome.FAILED,
        "accepted",
        "",
        ("X",),
    )
    assert common_verdict(results) is None


def test_the_summary_names_the_mutant_once() -> None:
    (cause,) = causes(attribution.answers("scale-nan-accepted"))
    assert (cause.title, cause.description) == (
        "LLQ-DEQ-1",
        "equals *NaN accepted as a scale*, which explains all wrong verdicts",
    )


def test_the_attributions_are_those_of_the_mutants_that_there_are() -> None:
    assert list(attribution.saved()) == list(MUTANTS), "run `python -m conformance.measurement.attribution`"


def test_the_table_has_a_line_for_each_mutant() -> None:
    text = attribution.table(attribution.saved())
    assert [name for name in MUTANTS if f"| `{name}` |" not in text] == []


def test_the_attributions_are_read_as_they_were_written(tmp_path: Path) -> None:
    own = attribution.Attribution(3, 2, 1, "LLQ-DEC-1", ("another",))
    attributions = {"a": (own, None), "b": (own, attribution.Attribution(1, 1, 0, "LLQ-DEC-2"))}
    attribution.save(attributions, tmp_path / "attribution.json")
    assert attribution.saved(tmp_path / "attribution.json") == attributions
