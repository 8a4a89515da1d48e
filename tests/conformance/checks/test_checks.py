"""The checks of the conformance suite, run in-process: they accept right answers and explain wrong ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from conformance.checks import CHECKS
from conformance.core.check import Check, Outcome, Result
from conformance.core.rules import registry
from conformance.core.runtime import Info, Verdict
from conformance.core.vectors import VECTORS, Vector, load
from conformance.exporters.checks import EXPORT_CHECKS
from conformance.runtimes.in_process import InProcessRuntime
from examples.python import miniatures
from tests.support.misbehaving_runtimes import Doubles, Misread, Raises, Sleeps
from tests.support.timeouts import SHORT, seconds

BY_NAME = {check.name: check for check in CHECKS}


@pytest.fixture(scope="module")
def vectors() -> list[Vector]:
    return load(VECTORS)


@pytest.fixture(scope="module")
def worked_example(vectors: Sequence[Vector]) -> Vector:
    return next(vector for vector in vectors if vector.id == "worked-example")


@pytest.fixture(scope="module")
def broken_record(vectors: Sequence[Vector]) -> Vector:
    return next(vector for vector in vectors if vector.rules[0] == "LLQ-REC-1" and not vector.valid)


class Says(miniatures.Right):
    """Gives one verdict on every package."""

    capabilities = frozenset({"decode", "reject"})

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict

    def validate(self, package: Path) -> Verdict:  # noqa: ARG002, D102 - as its class says
        return self.verdict


def ask(
    name: str, runtime: Any, vector: Vector, workspace: Path = Path(), timeout: float = seconds(30)
) -> Result:
    return BY_NAME[name](InProcessRuntime(runtime, timeout), vector, workspace)


def test_every_vector_concerns_a_check(vectors: Sequence[Vector]) -> None:
    checks = (*CHECKS, *EXPORT_CHECKS)
    assert [vector.id for vector in vectors if not any(check.concerns(vector) for check in checks)] == []


def test_checks_have_names_of_their_own() -> None:
    assert len(BY_NAME) == len(CHECKS)


def test_the_right_reading_passes_all_decodings(vectors: Sequence[Vector], tmp_path: Path) -> None:
    runtime = InProcessRuntime(miniatures.Right(), seconds(30))
    decode = BY_NAME["decode"]
    core = [vector for vector in vectors if decode.concerns(vector) and not vector.extensions]
    results = [decode(runtime, vector, tmp_path) for vector in core]
    assert results
    assert [result.vector for result in results if result.outcome is not Outcome.PASSED] == []


def test_a_runtime_without_an_extension_must_refuse_its_packages(vectors: Sequence[Vector]) -> None:
    refusing, accepting = Says(Verdict(("LLQ-EXT-1",))), Says(Verdict())
    extended = [vector for vector in vectors if vector.extensions]
    for check, vector in [(c, v) for c in CHECKS for v in extended if c.concerns(v)]:
        results = [ask(check.name, runtime, vector) for runtime in (refusing, accepting)]
        if check.name == "accept":
            assert [result.outcome for result in results] == [Outcome.PASSED, Outcome.FAILED]
            assert [result.rules for result in results] == [("LLQ-EXT-1",), ("LLQ-EXT-1",)]
            assert results[1].broken == ("LLQ-EXT-1",)
            continue
        assert {result.outcome for result in results} == {Outcome.NOT_CLAIMED}
        if set(check.needs) <= miniatures.Right.capabilities:
            assert results[0].headline == "not claimed: extension LLQ_attention_affine"


def test_nibble_pairs_break_pack_3_and_are_named(worked_example: Vector) -> None:
    result = ask("decode", miniatures.NibblePairs(), worked_example)
    assert result.outcome is Outcome.FAILED
    assert result.broken == ("LLQ-PACK-3",)
    assert result.headline == "equals *nibble pairs, even column in the low nibble*"
    for text in (
        registry()["LLQ-PACK-3"].sentence,
        worked_example.id,
        worked_example.description,
        "int4_affine [64, 64]",
        "first      element 0: row 0, column 0",
        "block 0 (0, 0), row 0, column 0 of the block",
        "scale 3800 (0.5), zero_point -3",
        "on 4096/4096 weights: see LLQ-PACK-3",
        registry()["LLQ-PACK-3"].remedy,
    ):
        assert text in result.explanation


def test_two_misreadings_at_once_are_named(worked_example: Vector) -> None:
    names = ("high plane first", "zero_point read as unsigned")
    result = ask("decode", Misread(*names), worked_example)
    assert result.headline == f"equals *{names[0]}, and {names[1]}*"
    assert result.broken == ("LLQ-PACK-3", "LLQ-DEQ-4")


def test_minus_zero_fails_on_the_sign_alone(vectors: Sequence[Vector]) -> None:
    vector = next(vector for vector in vectors if vector.valid and "LLQ-DEQ-5" in vector.rules)
    result = ask("decode", miniatures.MinusZero(), vector)
    assert result.outcome is Outcome.FAILED
    assert result.broken == ("LLQ-DEQ-5",)
    assert "80000000  -0.0" in result.explanation


@pytest.mark.parametrize("runtime", [miniatures.Noise(), miniatures.Zeros()])
def test_what_is_not_a_misreading_gets_no_name(runtime: miniatures.Right, worked_example: Vector) -> None:
    result = ask("decode", runtime, worked_example)
    assert result.outcome is Outcome.FAILED
    assert result.headline == "wrong weights"
    assert "misreading" not in result.explanation


def test_a_wrong_shape_is_reported_as_such(vectors: Sequence[Vector]) -> None:
    vector = next(vector for vector in vectors if vector.valid and "LLQ-PACK-6" in vector.rules)
    result = ask("decode", Misread("edge blocks not cropped to the matrix"), vector)
    assert result.outcome is Outcome.FAILED
    assert "got        the shape [64, 64]" in result.explanation
    assert "PACK-6" in result.explanation


@pytest.mark.parametrize(
    ("runtime", "text"),
    [
        (Raises(), "KeyError: 'weight of package'"),
        (Doubles(), "the adapter is broken: decode returned an array of float64"),
    ],
)
def test_an_error_is_contained(runtime: miniatures.Right, text: str, worked_example: Vector) -> None:
    result = ask("decode", runtime, worked_example)
    assert (result.outcome, text in result.explanation) == (Outcome.ERRORED, True)
    assert result.outcome.bad


def test_a_hang_is_contained(worked_example: Vector) -> None:
    result = ask("decode", Sleeps(), worked_example, timeout=SHORT)
    assert (result.outcome, f"no answer within {SHORT} s" in result.explanation) == (Outcome.TIMED_OUT, True)
    assert result.outcome.bad


@pytest.mark.parametrize(
    "check", [check for check in CHECKS if "reject" in check.needs], ids=lambda c: c.name
)
def test_what_is_not_claimed_is_not_asked(check: Check, worked_example: Vector) -> None:
    result = check(InProcessRuntime(miniatures.Right(), seconds(30)), worked_example, Path())
    assert result.outcome is Outcome.NOT_CLAIMED
    assert not result.outcome.bad


def test_the_right_rule_passes(broken_record: Vector) -> None:
    verdict = Verdict(("LLQ-REC-1", "LLQ-HASH-1"), ("LLQ-PKG-10",))
    assert ask("refuse", Says(verdict), broken_record).outcome is Outcome.PASSED


def test_another_rule_fails_and_both_are_cited(broken_record: Vector) -> None:
    result = ask("refuse", Says(Verdict(("LLQ-HASH-1", "LLQ-REC-1"))), broken_record)
    assert (result.outcome, result.broken) == (Outcome.FAILED, ("LLQ-REC-1",))
    assert result.headline == "refused for LLQ-HASH-1, not for LLQ-REC-1"
    for rule in ("LLQ-REC-1", "LLQ-HASH-1", "LLQ-READ-1"):
        assert registry()[rule].sentence in result.explanation


def test_a_rule_that_does_not_exist_fails(broken_record: Vector) -> None:
    result = ask("refuse", Says(Verdict(("LLQ-REC-99",))), broken_record)
    assert "LLQ-REC-99 (no rule of this edition has this id)" in result.explanation


def test_a_refusal_without_a_rule_fails(broken_record: Vector) -> None:
    result = ask("refuse", Says(Verdict(refused=True)), broken_record)
    assert result.headline == "refused without naming LLQ-REC-1"


def test_rules_without_a_refusal_fail(broken_record: Vector) -> None:
    result = ask("refuse", Says(Verdict(("LLQ-REC-1",), refused=False)), broken_record)
    assert result.headline == "accepted a package that breaks LLQ-REC-1"


def test_accepting_what_is_broken_fails(broken_record: Vector) -> None:
    result = ask("refuse", miniatures.AcceptsAll(), broken_record)
    assert result.headline == "accepted a package that breaks LLQ-REC-1"
    assert registry()["LLQ-REC-1"].sentence in result.explanation


def test_refusing_what_conforms_fails(worked_example: Vector) -> None:
    result = ask("accept", miniatures.RefusesAll(), worked_example)
    assert result.headline == "refused a conforming package for LLQ-PKG-1"
    assert registry()["LLQ-PKG-1"].sentence in result.explanation


def test_warnings_are_allowed(worked_example: Vector) -> None:
    result = ask("accept", Says(Verdict(warnings=("LLQ-PKG-10",))), worked_example)
    assert result.outcome is Outcome.PASSED


def test_decoding_what_is_broken_fails(broken_record: Vector) -> None:
    result = ask("withhold", miniatures.AcceptsAll(), broken_record)
    assert (result.outcome, result.broken) == (Outcome.FAILED, ("LLQ-READ-4",))


def test_declining_to_decode_what_is_broken_passes(broken_record: Vector) -> None:
    class Declines(Raises):
        capabilities = frozenset({"decode", "reject"})

    assert ask("withhold", Declines(), broken_record).outcome is Outcome.PASSED


def test_decoding_a_tensor_of_a_broken_index_fails(vectors: Sequence[Vector]) -> None:
    broken = [vector for vector in vectors if "LLQ-READ-7" in vector.rules]
    assert {"LLQ-PKG-1", "LLQ-JSON-1", "LLQ-META-2", "LLQ-MODEL-1", "LLQ-PART-8", "LLQ-PKG-9"} <= {
        vector.rules[0] for vector in broken
    }
    for vector in broken:
        if vector.rules[0] not in ("LLQ-CANON-2", "LLQ-MODEL-5", "LLQ-PKG-9"):
            continue  # the miniature cannot decode a tensor
        result = ask("withhold", miniatures.AcceptsAll(), vector)
        assert (result.outcome, result.broken) == (Outcome.FAILED, ("LLQ-READ-7",)), vector.id


def test_a_hang_on_what_is_broken_is_not_a_refusal(broken_record: Vector) -> None:
    class Hangs(Sleeps):
        capabilities = frozenset({"decode", "reject"})

    assert ask("withhold", Hangs(), broken_record, timeout=SHORT).outcome is Outcome.TIMED_OUT


def test_results_survive_json(worked_example: Vector) -> None:
    result = ask("decode", miniatures.NibblePairs(), worked_example)
    assert Result.from_json(result.to_json()) == result


def test_a_runtime_declares_its_claims() -> None:
    class Claims(miniatures.Right):
        capabilities = frozenset({"decodes"})

    with pytest.raises(Exception, match="it claims decodes; expected are decode, reject"):
        InProcessRuntime(Claims(), seconds(30))


def test_info_reads_well() -> None:
    assert str(Info("llq-node", "1.0", "JavaScript")) == "llq-node 1.0 (JavaScript)"
    assert str(Info("llq")) == "llq"
