"""The status of each rule, from results made up for the purpose and from real ones."""

from dataclasses import replace

import pytest

from conformance.checks import CHECKS
from conformance.core.check import Outcome, Result
from conformance.core.rules import registry
from conformance.core.vectors import load
from conformance.diagnosis.rule_status import RuleStatus, Status, rule_statuses
from conformance.runtimes.in_process import InProcessRuntime
from examples.python.miniatures import AcceptsAll, NibblePairs, RefusesAll
from tests.support.sample_reports import RefusesForAnother, results_of
from tests.support.timeouts import seconds

pytestmark = pytest.mark.slow

PACK, DEQ = "LLQ-PACK-3", "LLQ-DEQ-4"
PASSED = Result("decode", ("decode",), "a", (PACK, DEQ), Outcome.PASSED)
FAILED = replace(PASSED, vector="b", outcome=Outcome.FAILED, headline="wrong", broken=(PACK,))


def status_of(rule: str, *results: Result) -> RuleStatus:
    return next(entry for entry in rule_statuses(results) if entry.rule.id == rule)


def test_every_rule_has_a_status_in_the_order_of_the_registry() -> None:
    assert [entry.rule.id for entry in rule_statuses([PASSED])] == list(registry())


@pytest.mark.parametrize(
    "outcome", [Outcome.FAILED, Outcome.ERRORED, Outcome.TIMED_OUT, Outcome.KNOWN_FAILURE]
)
def test_one_bad_outcome_outweighs_passes(outcome: Outcome) -> None:
    entry = status_of(PACK, PASSED, PASSED, replace(FAILED, outcome=outcome))
    assert entry.status.value == outcome.value
    assert entry.outcomes == {Outcome.PASSED: 2, outcome: 1}
    assert entry.asked == 3


def test_a_failure_outweighs_other_bad_outcomes() -> None:
    timed_out = replace(FAILED, outcome=Outcome.TIMED_OUT)
    assert status_of(PACK, timed_out, FAILED).status is Status.FAILED


def test_a_rule_is_not_failed_for_another_one() -> None:
    assert status_of(DEQ, PASSED, FAILED).status is Status.PASSED
    unclear = status_of(DEQ, FAILED)
    assert (unclear.status, unclear.why) == (
        Status.UNCLEAR,
        f"every check of this rule fails because of {PACK}",
    )
    assert unclear.status.bad


def test_without_an_answer_all_rules_of_a_vector_are_without_one() -> None:
    errored = replace(FAILED, outcome=Outcome.ERRORED)
    assert status_of(DEQ, errored).status is Status.ERRORED


def test_what_was_not_asked_is_not_passed() -> None:
    silent = replace(PASSED, outcome=Outcome.NOT_CLAIMED, headline="not claimed: decode")
    entry = status_of(PACK, silent)
    assert (entry.status, entry.why, entry.asked) == (Status.NOT_CLAIMED, "not claimed: decode", 0)
    assert status_of(PACK, silent, PASSED).status is Status.PASSED
    assert status_of("LLQ-ACT-1", PASSED).status is Status.NOT_ASKED


def test_untestable_rules_give_the_reason() -> None:
    reason = "it applies to writers; the suite tests readers and runtimes (test writers with --exporter)"
    assert status_of("LLQ-WRITE-1", PASSED).why == reason
    untestable = {entry.rule.id for entry in rule_statuses([PASSED]) if entry.status is Status.UNTESTABLE}
    results = [
        Result(check.name, check.needs, vector.id, check.tested(vector), Outcome.PASSED)
        for check in CHECKS
        for vector in load()
        if check.concerns(vector)
    ]
    statuses = {entry.rule.id: entry.status for entry in rule_statuses(results)}
    assert set(statuses.values()) == {Status.PASSED, Status.UNTESTABLE}
    assert untestable == {rule for rule, status in statuses.items() if status is Status.UNTESTABLE}


def test_a_package_reports_only_its_first_error() -> None:
    refused = Result("refuse", ("reject",), "c", ("LLQ-REC-1", PACK), Outcome.PASSED)
    assert status_of("LLQ-REC-1", refused).status is Status.PASSED
    assert status_of("LLQ-READ-1", refused).status is Status.PASSED
    assert status_of(PACK, refused).status is Status.NOT_ASKED


def test_who_refuses_for_another_rule_breaks_the_rule_about_naming() -> None:
    for reader in (RefusesAll, RefusesForAnother):
        entry = status_of("LLQ-READ-1", *results_of(InProcessRuntime(reader(), seconds(30))))
        assert entry.status is Status.FAILED
    assert (
        status_of("LLQ-READ-1", *results_of(InProcessRuntime(AcceptsAll(), seconds(30)))).status
        is Status.UNCLEAR
    )


def test_one_misreading_takes_the_blame_of_all_wrong_decodings() -> None:
    rules = {
        entry.rule.id
        for entry in rule_statuses(list(results_of(InProcessRuntime(NibblePairs(), seconds(30)))))
        if entry.status == "failed"
    }
    assert rules == {PACK}
