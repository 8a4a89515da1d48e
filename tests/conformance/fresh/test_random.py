"""Random questions: their answers, the search for the smallest failure, and the mutant that they are for."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import find as find_smallest

from conformance.checks import CHECKS
from conformance.core.check import Outcome
from conformance.core.vectors import load
from conformance.fresh.kit import kit
from conformance.fresh.questions import RandomPackage
from conformance.fresh.search import Search, name_of
from conformance.fresh.storage import store
from conformance.fresh.strategies import QUESTIONS, models
from conformance.mutation.find import find
from conformance.mutation.mutants import PASSING_ALL_VECTORS, runtime
from conformance.mutation.mutants.memory import NAME
from conformance.reporting.rerun import rerun
from conformance.runtimes.reference import Reference
from tests.support.suite_process import run_suite
from tests.support.timeouts import seconds

pytestmark = pytest.mark.slow

CHECKS_BY_NAME = {check.name: check for check in CHECKS}
SEED = 4


def test_the_kit_is_imported_from_its_place() -> None:
    assert kit("noise").noise(1, 2) == kit("noise").noise(1, 2)


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_reference_answers_random_questions(name: str, tmp_path: Path) -> None:
    result = Search(3, SEED, tmp_path / "kept")(CHECKS_BY_NAME[name], Reference(), tmp_path)
    assert result.outcome is Outcome.PASSED, result.explanation
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("choice", ["qkv_bias", "weighted_qk_norm"])
def test_packages_with_the_extension_are_drawn(choice: str, tmp_path: Path) -> None:
    model = find_smallest(models(), lambda model: any(layer[choice] for layer in model.affine))
    store(RandomPackage(model, model.shard_limit), "random", tmp_path)
    (vector,) = load(tmp_path)
    assert vector.extensions == ("LLQ_attention_affine",)
    for name in ("accept", "decode"):
        result = CHECKS_BY_NAME[name](Reference(), vector, tmp_path)
        assert result.outcome is Outcome.PASSED, result.explanation


def test_a_runtime_without_the_extension_is_not_asked_about_it(tmp_path: Path) -> None:
    runtime = Reference()
    runtime.info = replace(runtime.info, extensions=())
    result = Search(6, SEED, tmp_path / "kept")(CHECKS_BY_NAME["decode"], runtime, tmp_path)
    assert result.outcome is Outcome.PASSED, result.explanation


@pytest.mark.parametrize("name", ["decode", "matvec"])
def test_a_mutant_that_knows_the_vectors_fails_a_random_question(name: str, tmp_path: Path) -> None:
    check, search = CHECKS_BY_NAME[name], Search(2, SEED, tmp_path / "kept")
    result = search(check, runtime(NAME), tmp_path)
    assert result.outcome is Outcome.FAILED
    assert result.vector == name_of(check)
    assert str(search.place(check)) not in result.headline
    (vector,) = load(search.place(check))
    assert vector.id == name_of(check)
    again = list(rerun(vector.id, f"mutant:{NAME}", vectors=search.place(check)))
    assert Outcome.FAILED in {each.outcome for each in again}
    right = list(rerun(vector.id, "reference", vectors=search.place(check)))
    assert {each.outcome for each in right} == {Outcome.PASSED}


def test_the_smallest_failure_is_small_and_a_seed_gives_it_again(tmp_path: Path) -> None:
    check = CHECKS_BY_NAME["decode"]
    indices = []
    for place in ("first", "second"):
        search = Search(2, SEED, tmp_path / place)
        search(check, runtime(NAME), tmp_path / f"workspace of the {place}")
        indices.append(json.loads((search.place(check) / "index.json").read_text(encoding="utf-8")))
    assert indices[0] == indices[1]
    (entry,) = indices[0]["vectors"]
    assert "rows=1" in entry["drawn"]


def test_that_mutant_passes_the_vectors(tmp_path: Path) -> None:
    """All vectors of the cheap checks, and a few of the others: they take minutes."""
    assert NAME in PASSING_ALL_VECTORS
    mutant, vectors = find(f"mutant:{NAME}", seconds(60)), [v for v in load() if v.recipe is None]
    for check in CHECKS:
        concerned = [vector for vector in vectors if check.concerns(vector)]
        for vector in concerned if check.name in ("decode", "refuse", "accept") else concerned[:4]:
            result = check(mutant, vector, tmp_path / f"{check.name} {vector.id}")
            assert result.outcome in (Outcome.PASSED, Outcome.NOT_CLAIMED), result.explanation


def test_the_suite_prints_the_seed_and_the_command_that_reruns_the_smallest_failure(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    options = ("--random=2", "--seed=4", f"--kept={kept}", f"--runtime=mutant:{NAME}", "-k", "decode")
    process = run_suite(*options)
    assert process.returncode == 1, process.stdout
    assert "2 random questions each, seed 4" in process.stdout
    assert (
        f"llq rerun random-decode --runtime=mutant:{NAME} --vectors={kept / 'decode-seed-4'}"
        in process.stdout
    )


def test_a_run_without_a_failure_is_no_verdict() -> None:
    process = run_suite("--random=2", "-k", "decode")
    assert process.returncode == 0, process.stdout
    assert "1 checks of 2 random questions each passed; only the vectors show conformance" in process.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--seed=1",), "--seed requires --random"),
        (("--random=-1",), "--random=-1: expected a number of questions"),
        (("--random=1", "--quick"), "fresh questions are not the vectors: omit --quick"),
        (("--random=1", "--package=."), "--random and --package exclude each other"),
        (("--oracle=webgpu",), "--oracle requires --package"),
        (("--package=nowhere",), "--package=nowhere: metadata.json not found"),
    ],
)
def test_options_that_do_not_fit_end_the_run(options: tuple[str, ...], message: str) -> None:
    process = run_suite(*options)
    assert process.returncode == 4
    assert message in process.stderr
