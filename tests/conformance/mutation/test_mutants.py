"""Every mutant fails on the rule that it breaks, by the lowest check that can see it; the control passes."""

import random
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest

from conformance.checks import CHECKS
from conformance.core.check import Outcome, Result
from conformance.core.rules import registry
from conformance.core.vectors import Vector, load
from conformance.diagnosis import recognition
from conformance.mutation.find import UnknownRuntimeError, find
from conformance.mutation.mutants import CHECK_ORDER, CONTROL, MUTANTS, Mutant, UnknownMutantError, runtime
from conformance.runtimes.in_process import InProcessRuntime
from tests.support.timeouts import seconds

pytestmark = pytest.mark.slow

BY_NAME = {check.name: check for check in CHECKS}
LOADED = load()
SLOW = "many-empty-tensors"
BLURRED = {
    "kv-cache-undeclared-binary16": "with a binary16 KV cache it is not wrong",
    "kv-cache-clamped": "a binary16 KV cache limits keys and values to 65504, as NUM-2 requires",
}
"""Mutants of logits that no vector distinguishes from a legal runtime whose KV cache holds binary16."""


def concerned(check: str, rule: str | None = None) -> list[Vector]:
    """Return the vectors of a check, those about a rule first, without the slowest."""
    concerned = [v for v in LOADED if BY_NAME[check].concerns(v) and v.id != SLOW]
    return sorted(concerned, key=lambda vector: rule is not None and rule not in vector.rules)


def results(names: str, check: str, rule: str | None, where: Path, cache: str = "f32") -> Iterator[Result]:
    """Yield the results of a mutant, one vector after another."""
    subject = InProcessRuntime(runtime(names, "f16" if cache == "f16" else "f32"), seconds(60))
    for vector in concerned(check, rule):
        yield BY_NAME[check](subject, vector, where / check)


def blamed(outcomes: Sequence[Result], rule: str) -> bool:
    return any(r.outcome is Outcome.FAILED and rule in (*r.broken, *r.rules) for r in outcomes)


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=lambda mutant: mutant.name)
def test_each_mutant_fails_on_its_rule_by_its_lowest_check(mutant: Mutant, tmp_path: Path) -> None:
    for check in mutant.checks:
        outcomes = results(mutant.name, check, mutant.rule, tmp_path)
        with recognition.silent() if check != "decode" else nullcontext():  # there the name brings the rule
            assert any(blamed([result], mutant.rule) for result in outcomes), check


def test_there_are_many_mutants_and_each_names_a_rule_and_checks_that_exist() -> None:
    assert len(MUTANTS) >= 80
    assert {mutant.rule for mutant in MUTANTS.values()} <= set(registry())
    assert {check for mutant in MUTANTS.values() for check in mutant.checks} <= set(CHECK_ORDER)


def test_variants_of_one_mutant_break_one_rule() -> None:
    rules: dict[str, set[str]] = {}
    for mutant in MUTANTS.values():
        rules.setdefault(mutant.title, set()).add(mutant.rule)
    assert [title for title, broken in rules.items() if len(broken) > 1] == []


@pytest.mark.parametrize(
    "check", ["activations", "matvec", "generate", "sample", "adjust", "tokenize", "logits"]
)
def test_the_control_passes(check: str, tmp_path: Path) -> None:
    outcomes = list(results(CONTROL, check, None, tmp_path))
    assert [result.explanation for result in outcomes if result.outcome is not Outcome.PASSED] == []


OF_LOGITS = [name for name, mutant in MUTANTS.items() if mutant.check == "logits"]


@pytest.mark.parametrize("name", OF_LOGITS)
def test_mutants_of_logits_fail_with_a_cache_in_binary16_too(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The bounds are wider there, and little may hide in them."""
    if name in BLURRED:
        request.applymarker(pytest.mark.xfail(reason=BLURRED[name], strict=True))
    with recognition.silent():
        outcomes = results(name, "logits", MUTANTS[name].rule, tmp_path, "f16")
        assert any(result.outcome is Outcome.FAILED for result in outcomes)


PACKING = [name for name, mutant in MUTANTS.items() if mutant.check == "decode" and "PACK-3" in mutant.rule]


@pytest.mark.parametrize("name", PACKING)
def test_what_is_decoded_wrongly_is_multiplied_wrongly(name: str, tmp_path: Path) -> None:
    with recognition.silent():
        assert any(r.outcome is Outcome.FAILED for r in results(name, "matvec", None, tmp_path))


NAMED = [
    n
    for n, mutant in MUTANTS.items()
    if mutant.check in ("activations", "matvec", "sample", "adjust", "tokenize")
]

REMEMBERING = frozenset({"draws-counted", "first-seed-kept"})
"""Mutants that keep a state between questions: what they answer depends on earlier tests."""


@pytest.mark.parametrize("name", NAMED)
def test_failures_of_mutants_name_them(name: str, tmp_path: Path) -> None:
    """Some failure names it, alone or with a mutant that computes the same; none names another only."""
    mutant = MUTANTS[name]
    if name in REMEMBERING:
        recognition.forget()
    with recognition.unknown(REMEMBERING - {name}):
        failed = [r for r in results(name, mutant.check, None, tmp_path) if r.outcome is Outcome.FAILED]
    explained = [result for result in failed if result.misreadings]
    assert any(mutant.title in result.misreadings for result in explained)
    assert [result.vector for result in explained if mutant.title not in result.misreadings] == []


def pairs() -> list[tuple[str, str]]:
    """Return some pairs of mutants of decoding that replace different steps."""
    names = {
        check: [n for n, m in MUTANTS.items() if m.check == check] for check in ("activations", "tokenize")
    }
    draw = random.Random(4)  # noqa: S311 - a sample
    return [(draw.choice(names["activations"]), draw.choice(names["tokenize"])) for _ in range(8)]


@pytest.mark.parametrize("pair", pairs(), ids="+".join)
def test_pairs_of_mutants_fail_as_both(pair: tuple[str, str], tmp_path: Path) -> None:
    for name in pair:
        mutant = MUTANTS[name]
        outcomes = list(results("+".join(pair), mutant.check, None, tmp_path))
        assert any(mutant.title in result.misreadings for result in outcomes)


def test_a_pair_of_misreadings_is_named(tmp_path: Path) -> None:
    (example,) = (vector for vector in LOADED if vector.id == "worked-example")
    subject = InProcessRuntime(runtime("nibble-pairs+zero-point-plus-1"), seconds(30))
    result = BY_NAME["decode"](subject, example, tmp_path)
    assert "nibble pairs, even column in the low nibble, and zero_point + 1" in result.headline


def test_an_unknown_mutant_is_reported_with_similar_names() -> None:
    with pytest.raises(UnknownMutantError, match="did you mean nibble-pairs"):
        runtime("nible-pairs")
    with pytest.raises(UnknownRuntimeError, match="there is no mutant 'x1'"):
        find("mutant:x1", 1)


def test_nothing_stays_replaced() -> None:
    """After the runs of all mutants, the reference is unchanged."""
    from conformance.runtimes.reference import Reference  # noqa: PLC0415 - after the mutants

    (vector,) = (vector for vector in LOADED if vector.id == "int8-without-pattern")
    assert (
        BY_NAME["activations"](InProcessRuntime(Reference(), seconds(30)), vector, Path()).outcome
        is Outcome.PASSED
    )
