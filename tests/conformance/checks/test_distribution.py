"""Check `distribution`: ranks, ties, prompts in one batch, mutants and legal executions."""

from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from conformance.checks import CHECKS
from conformance.checks.distribution import (
    ERROR_RATE,
    NEGLIGIBLE,
    divergences,
    passes,
    probability_of_ranks,
    rank_tests,
)
from conformance.core.check import Outcome, Result
from conformance.core.vectors import Vector, load
from conformance.fresh import distribution as fresh
from conformance.fresh.distribution import distribution_entry
from conformance.fresh.storage import write_index
from conformance.measurement.distribution import measured
from conformance.mutation.find import find
from conformance.mutation.short_prompts import last_logits
from conformance.runtimes.reference import Reference

CHECK = next(check for check in CHECKS if check.name == "distribution")
VECTORS = {vector.id: vector for vector in load()}
MODELS = ("dense-binary16", "llama-4", "affine-norm-interleaved-int8")


def test_the_probability_of_ranks_is_the_share_of_all_outcomes() -> None:
    outcomes = [sum(ranks) for ranks in product((1, 2, 3, 4), repeat=5)]
    for total in range(5, 21):
        share = sum(outcome >= total for outcome in outcomes) / len(outcomes)
        assert probability_of_ranks(total, 5, 3) == pytest.approx(share, rel=1e-12)


def test_legal_executions_fail_at_most_at_the_stated_rate() -> None:
    random = np.random.default_rng(5)
    lengths = [1] * 24 + [8] * 16
    trials = 4000
    failures = 0
    for _ in range(trials):
        draws = random.exponential(size=(9, len(lengths)))
        tests = rank_tests(lengths, draws[0], draws[1:])
        failures += not all(passes(test, tests) for test in tests)
    assert failures <= 13  # a rate of 0.001 exceeds this in one of 10,000 such runs


def test_negligible_and_equal_divergences_count_in_favour_of_the_runtime() -> None:
    legal = np.array([[NEGLIGIBLE / 2, 0.25], [0.0, 0.5]])
    assert rank_tests([1, 1], np.array([NEGLIGIBLE, 0.5]), legal)[0].total == 1 + 2


def test_divergences_are_those_of_kullback_and_leibler() -> None:
    p, q = np.array([0.5, 0.25, 0.25]), np.array([0.125, 0.375, 0.5])
    expected = sum(a * np.log(a / b) for a, b in zip(p, q, strict=True))
    assert divergences(np.log(p)[None] + 3, np.log(q)[None] - 7) == pytest.approx([expected])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("cache", ["f32", "f16"])
def test_prompts_in_one_batch_have_the_logits_of_each(name: str, cache: Any) -> None:
    package = VECTORS[name].package
    tokens = VECTORS[name].members["tokens"]
    prompts = [tokens[:1], tokens[:6], tokens[2:3], tokens[:3]]
    batch = last_logits(package, prompts, cache)
    for prompt, logits in zip(prompts, batch, strict=True):
        alone = Reference(cache).logits(package, prompt, [len(prompt)])[-1]
        np.testing.assert_allclose(logits, alone, rtol=1e-9, atol=1e-9)


@pytest.fixture(scope="module")
def vector(tmp_path_factory: pytest.TempPathFactory) -> Vector:
    """Write the vector of a small model."""
    home = tmp_path_factory.mktemp("distribution")
    package = VECTORS["experts-int8"].package
    with patch.object(fresh, "GROUPS", ((24, 1), (12, 8))):
        entry = distribution_entry(package, np.random.default_rng(1), home)
    write_index([entry], home)
    return load(home)[0]


def result(spec: str, vector: Vector) -> Result:
    """Ask a runtime."""
    return CHECK(find(spec, 600), vector, vector.home)


LEGAL = ("reference", "conforming:disturbed", "conforming:binary16-cache", "conforming:answers-in-binary32")


@pytest.mark.parametrize("spec", LEGAL)
def test_legal_runtimes_pass(spec: str, vector: Vector) -> None:
    assert result(spec, vector).outcome is Outcome.PASSED


WRONG = ("rope-other-pairing", "kv-head-by-remainder", "int8-not-rounded", "scores-not-divided")


@pytest.mark.parametrize("name", WRONG)
def test_mutants_fail(name: str, vector: Vector) -> None:
    found = result(f"mutant:{name}", vector)
    assert found.outcome is Outcome.FAILED
    assert "prompts of length 1: the ranks add up to" in found.explanation


def test_logits_of_no_numbers_and_of_another_shape_fail(vector: Vector) -> None:
    class Broken(Reference):
        change = staticmethod(lambda logits: logits * np.nan)

        def logits(self, *arguments: Any) -> Any:
            return self.change(super().logits(*arguments))

    broken = Broken()
    assert CHECK(broken, vector, Path()).headline == "NaN or infinity"
    broken.change = lambda logits: logits[-1:, :5]
    assert CHECK(broken, vector, Path()).headline == "wrong shape"


SUBTLE = ("eps-1e-6", "rope-theta-10000", "kv-head-by-remainder", "int8-not-rounded")


@pytest.mark.slow
def test_the_real_model_shows_subtle_mutants_and_passes_legal_executions(smollm2_package: Path) -> None:
    legal = ("in binary32", "codes-by-reciprocal")
    for title, tests in measured(smollm2_package, 0, SUBTLE, legal):
        probability = min(test.probability for test in tests) * len(tests)
        assert (probability < ERROR_RATE) == title.startswith("mutant:"), (title, tests)
