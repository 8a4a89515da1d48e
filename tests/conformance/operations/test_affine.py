"""Traces of bias and weighted norm: legal results are inside their bounds, a wrong one is named."""

import pytest

from conformance.core.check import Outcome
from conformance.core.vectors import load
from conformance.mutation.mutants import MUTANTS
from tests.conformance.diagnosis.test_localisation import ask, mutated
from tests.conformance.operations.test_walk import wrong

VECTORS = {vector.id: vector for vector in load() if vector.kind == "logits" and vector.extensions}
ALL = "affine-with-experts-binary16"
"""A vector with layers of each choice."""

BLAMED = {
    "bias-missing": "attention.biased",
    "bias-of-v-missing": "attention.biased",
    "bias-of-values-before-keys": "attention.biased",
    "bias-after-rope": "attention.biased",
    "biased-in-binary16": "attention.q",
    "weighted-norm-missing": "attention.rope.q",
    "weighted-norm-without-weight": "attention.weighted_norm.q",
    "head-norms-exchanged": "attention.weighted_norm.q",
    "q-norm-for-keys": "attention.weighted_norm.k",
    "weighted-norm-over-all-heads": "attention.weighted_norm.q",
    "weighted-norm-in-binary16": "attention.weighted_norm.q",
}
"""The first wrong result; a layer that lacks a step returns no result of it, and the next result is wrong."""


@pytest.mark.parametrize("name", ["disturbed", "float32-results", "binary16-cache", "norm-by-reciprocal"])
@pytest.mark.parametrize("vector", VECTORS)
def test_legal_executions_are_within_the_bounds(name: str, vector: str) -> None:
    for split in VECTORS[vector].members["splits"][:2]:
        assert wrong(VECTORS[vector], name, split) == []


@pytest.mark.parametrize("share", [0.7, 0.3, 0.05])
def test_results_that_are_missing_widen_the_bounds(share: float) -> None:
    for name in ("disturbed", "binary16-cache"):
        assert wrong(VECTORS[ALL], name, VECTORS[ALL].members["splits"][0], share) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", BLAMED)
def test_a_trace_blames_the_operation_that_is_wrong(name: str) -> None:
    result = ask(mutated(name), "logits", ALL, "trace")
    assert result.outcome is Outcome.FAILED
    operation = result.headline.split()[0]
    assert operation.split(".", 2)[2] == BLAMED[name], result.explanation
    assert MUTANTS[name].title in result.misreadings, result.explanation
    assert MUTANTS[name].rule in result.broken
