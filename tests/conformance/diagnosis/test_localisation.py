"""Faults are located by traces, and named only where they are certain."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.checks import CHECKS
from conformance.checks.trace import trace as check_trace
from conformance.core.check import Outcome, Result
from conformance.core.runtime import BrokenAdapter, Reals
from conformance.core.vectors import load
from conformance.diagnosis import recognition
from conformance.measurement import localisation, unknown
from conformance.measurement.attribution import FOREIGN
from conformance.mutation.mutants import MUTANTS, MutantRuntime
from conformance.mutation.mutants.open_packages import with_tensors
from conformance.runtimes.in_process import InProcessRuntime
from conformance.runtimes.reference import Reference
from tests.support.timeouts import seconds

BY_NAME = {check.name: check for check in CHECKS}
VECTORS = {(vector.kind, vector.id): vector for vector in load()}
MODEL = VECTORS["logits", "llama-4"]

BLAMED = {
    "eps-outside-root": "layers.0.attention_norm",
    "int8-truncated": "layers.2.attention.qkv.input",
    "int8-scale-in-binary16": "layers.2.attention.qkv.scale",
    "sums-in-binary16": "layers.0.attention.qkv",
    "rope-backwards": "layers.0.attention.rope.q",
    "qk-norm-of-queries-alone": "layers.0.attention.qk_norm.k",
    "kv-cache-in-bfloat16": "layers.0.attention.keys",
    "kv-head-by-remainder": "layers.0.attention.scores",
    "queries-in-binary16": "layers.0.attention.scores",
    "chunks-ignored": "layers.0.attention.weights",
    "heads-interleaved": "layers.0.attention.heads",
    "residual-of-normed": "layers.0.attention.residual",
    "router-second": "layers.1.ffn.expert",
    "gate-up-swapped": "layers.0.ffn.shared.hidden",
    "shared-expert-missing": "layers.1.ffn.mixture",
    "head-row-off-by-one": "lm_head",
}


def mutated(*names: str, claims: frozenset[str] | None = None) -> InProcessRuntime:
    """Return mutants together, in foreign arithmetic, as a runtime that claims some capabilities."""
    mutants = [FOREIGN, *(MUTANTS[name] for name in names)]
    runtime = InProcessRuntime(MutantRuntime(mutants, opened=with_tensors), seconds(60))
    runtime.capabilities = claims or runtime.capabilities
    return runtime


def ask(runtime: InProcessRuntime, kind: str, vector: str, check: str = "") -> Result:
    return BY_NAME[check or kind](runtime, VECTORS[kind, vector], Path())


@pytest.mark.slow
@pytest.mark.parametrize("name", BLAMED)
def test_a_trace_blames_the_operation_that_is_wrong(name: str) -> None:
    result = ask(mutated(name), "logits", "llama-4", "trace")
    assert result.outcome is Outcome.FAILED
    operation = result.headline.split()[0]
    assert operation.split(".")[2:] == BLAMED[name].split(".")[2:], result.explanation
    assert MUTANTS[name].title in result.misreadings
    assert MUTANTS[name].rule in result.broken
    assert "earlier results inside their bounds" in result.explanation


def test_measured_traces_blame_and_name_the_right_operation() -> None:
    """Of all mutants, in their own and in foreign arithmetic, as measured last."""
    measured = localisation.saved()
    assert set(measured) <= set(localisation.measured_mutants()), "measure again"
    shown = set(measured) & set(localisation.shown_mutants())
    assert len(shown) > 150
    for arithmetic in (0, 1):
        rates = localisation.rates(measured, arithmetic)
        assert rates.seen >= 0.97 * len(shown)
        assert rates.right >= 0.9 * rates.seen
        assert rates.misnamed < 0.02 * rates.seen


def test_misreadings_that_are_not_known_are_rarely_named() -> None:
    failures, named = unknown.counts(unknown.saved())
    assert failures > 1000
    assert named < 0.02 * failures


class Returns(Reference):
    """The reference, whose trace is changed."""

    def __init__(self, change: Callable[[dict[str, Any]], Mapping[str, Reals]]) -> None:
        super().__init__()
        self._change = change

    def trace(self, package: Path, tokens: Sequence[int], splits: Sequence[int]) -> Mapping[str, Reals]:
        """Return the changed trace."""
        return self._change(dict(super().trace(package, tokens, splits)))


def trace_of(change: Callable[[dict[str, Any]], Mapping[str, Reals]]) -> Result:
    with recognition.silent():
        return ask(InProcessRuntime(Returns(change), seconds(60)), "logits", "llama-4", "trace")


def test_nan_is_outside_every_bound() -> None:
    def spoiled(trace: dict[str, Any]) -> dict[str, Any]:
        trace["layers.1.ffn_norm"][3, 5] = np.nan
        return trace

    result = trace_of(spoiled)
    assert result.headline == "layers.1.ffn_norm outside its error bound"
    assert "position 3, element 5" in result.explanation


def test_a_wrong_shape_is_reported() -> None:
    result = trace_of(lambda trace: trace | {"norm": trace["norm"][1:]})
    assert result.headline == "norm of a wrong shape"


def test_an_unknown_name_breaks_the_protocol() -> None:
    runtime = InProcessRuntime(Returns(lambda trace: trace | {"layers.0.queries": np.zeros(1)}), seconds(60))
    with pytest.raises(BrokenAdapter, match=r"'layers\.0\.queries', which TRACE\.md does not list"):
        check_trace(runtime, MODEL, MODEL.package)


def test_a_trace_without_tensors_breaks_the_protocol() -> None:
    runtime = InProcessRuntime(Returns(lambda _: {}), seconds(60))
    with pytest.raises(BrokenAdapter, match="its trace has no tensor"):
        check_trace(runtime, MODEL, MODEL.package)


def test_what_is_missing_is_computed() -> None:
    """An error before missing results is found in the next result that is there."""
    kept = ("embedding", "layers.0.ffn.residual", "lm_head")

    def few(trace: dict[str, Any]) -> dict[str, Any]:
        trace["layers.0.ffn.residual"] += 1
        return {name: trace[name] for name in kept}

    assert trace_of(few).headline == "layers.0.ffn.residual outside its error bound"
    assert trace_of(lambda trace: {name: trace[name] for name in kept}).outcome is Outcome.PASSED


def test_wrong_logits_are_located_if_there_are_traces() -> None:
    result = ask(mutated("gate-up-swapped"), "logits", "dense-binary16")
    assert "operation  layers.0.ffn.hidden" in result.explanation
    assert result.broken[0] == "LLQ-DEC-12"


GENERATIONS = [v.id for v in load() if v.kind == "generate"]


@pytest.mark.slow
def test_a_token_of_wrong_logits_is_not_blamed_on_the_choice() -> None:
    """The hint of GEN-1 would mislead: the runtime chooses its largest logit."""
    runtime = mutated("gate-up-swapped")
    results = [ask(runtime, "generate", vector) for vector in GENERATIONS]
    different = [result for result in results if "different token" in result.headline]
    assert different
    for result in different:
        assert result.broken[0] == "LLQ-DEC-12"
        assert "chosen by wrong logits" in result.headline
    without = ask(
        mutated("gate-up-swapped", claims=frozenset({"generate", "logits"})), "generate", different[0].vector
    )
    assert without.broken[0] == "LLQ-NUM-4"


WITHOUT_TRACES = frozenset({"logits", "activations", "matvec"})

EQUAL = {"scores-clamped": "scores-capped", "int8-scale-kept-for-zeros": "int8-maximum-not-reset"}
"""Mutants that return the same as another on the vector below: scores of 500 are ±50 for both."""

UNNAMED_BEFORE = [
    ("scores-capped", "logits", "chunks-int8"),
    ("scores-clamped", "logits", "close-great-scores"),
    ("queries-in-binary16", "logits", "chunks-int8"),
    ("eps-outside-root", "logits", "chunks-int8"),
    ("int8-scale-kept-for-zeros", "activations", "int8-zeros"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind", "vector"), UNNAMED_BEFORE)
def test_names_without_traces_are_certain(name: str, kind: str, vector: str) -> None:
    result = ask(mutated(name, claims=WITHOUT_TRACES), kind, vector)
    assert result.outcome is Outcome.FAILED
    assert not result.misreadings or MUTANTS[name].title in result.misreadings
    with recognition.unknown(frozenset({name, EQUAL.get(name, name)})):
        assert not ask(mutated(name, claims=WITHOUT_TRACES), kind, vector).misreadings
