"""`--known-failures`: a listed failure does not fail a run, never counts as passed, and must not be stale."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.core.check import Outcome, Result
from conformance.reporting.known_failures import KnownFailures, KnownFailuresError, write
from conformance.runtimes import messages
from tests.support.suite_process import run_suite

pytestmark = pytest.mark.slow

WRONG = "py:examples.python.miniatures:NibblePairs"
RIGHT = "py:examples.python.miniatures:Right"
ENTRY = {"check": "decode", "vector": "control", "rule": "LLQ-PACK-3", "reason": "nibbles, until 2.0"}
FAILED = Result(
    "decode",
    ("decode",),
    "control",
    ("LLQ-PKG-1",),
    Outcome.FAILED,
    "wrong weights",
    "in full",
    ("LLQ-PACK-3", "LLQ-PACK-4"),
)


def listed(directory: Path, *entries: dict[str, str]) -> Path:
    file = directory / "known.json"
    file.write_text(json.dumps({"known_failures": entries}))
    return file


def suite(
    runtime: str, *arguments: str, only: str = "control or worked"
) -> "subprocess.CompletedProcess[str]":
    """Run the suite on two vectors."""
    return run_suite("-k", only, f"--runtime={runtime}", *arguments)


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.ERRORED, Outcome.TIMED_OUT])
def test_a_listed_failure_is_known_and_keeps_its_explanation(tmp_path: Path, outcome: Outcome) -> None:
    failures = KnownFailures.load(listed(tmp_path, {**ENTRY, "since": "1.2"}))
    judged = failures.judge(replace(FAILED, outcome=outcome))
    assert judged.outcome is Outcome.KNOWN_FAILURE
    assert judged.explanation == f"in full\n  known      {outcome}: nibbles, until 2.0 (since 1.2)"
    assert not list(failures.stale([judged]))


def test_nothing_else_becomes_known(tmp_path: Path) -> None:
    failures = KnownFailures.load(listed(tmp_path, ENTRY))
    for unlisted in (replace(FAILED, vector="control-parts"), replace(FAILED, check="accept")):
        assert failures.judge(unlisted) is unlisted
    for fine in (Outcome.PASSED, Outcome.NOT_CLAIMED):
        assert failures.judge(replace(FAILED, outcome=fine)).outcome is fine


def test_a_failure_of_another_rule_is_a_new_one(tmp_path: Path) -> None:
    failures = KnownFailures.load(listed(tmp_path, {**ENTRY, "rule": "LLQ-DEQ-3"}))
    judged = failures.judge(FAILED)
    assert judged.outcome is Outcome.FAILED
    message = "listed     as a known failure of LLQ-DEQ-3, but this failure breaks LLQ-PACK-3, LLQ-PACK-4"
    assert message in judged.explanation


@pytest.mark.parametrize(
    ("outcome", "reason"), [(Outcome.PASSED, "passes"), (Outcome.NOT_CLAIMED, "is no longer claimed")]
)
def test_an_entry_is_stale_where_its_check_does_not_fail(
    tmp_path: Path, outcome: Outcome, reason: str
) -> None:
    failures = KnownFailures.load(listed(tmp_path, ENTRY))
    (stale,) = failures.stale([replace(FAILED, outcome=outcome)])
    entry = "decode control (LLQ-PACK-3: nibbles, until 2.0)"
    assert stale == f"decode control {reason}: delete the entry {entry} from {failures.file}"


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ("{", "cannot be used"),
        ('{"known": []}', "known-failures: .*known"),
        ('{"known_failures": [{"check": "decode"}]}', "/known_failures/0: 'vector' is a required property"),
        (json.dumps({"known_failures": [{**ENTRY, "reason": ""}]}), "/known_failures/0/reason"),
        (json.dumps({"known_failures": [{**ENTRY, "rule": "PACK-3"}]}), "/known_failures/0/rule"),
        (json.dumps({"known_failures": [ENTRY, ENTRY]}), "contains more than one entry for decode control"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, contents: str, message: str) -> None:
    file = tmp_path / "known.json"
    file.write_text(contents)
    with pytest.raises(KnownFailuresError, match=message):
        KnownFailures.load(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KnownFailuresError, match=r"cannot be used: .*No such file"):
        KnownFailures.load(tmp_path / "known.json")


def test_a_list_is_renewed_from_a_run(tmp_path: Path) -> None:
    """Entries that still fail keep their reason, passing ones go, those not run stay, new ones are added."""
    not_asked = {**ENTRY, "vector": "other", "since": "1.0"}
    passes = {**ENTRY, "vector": "passing"}
    failures = KnownFailures.load(listed(tmp_path, ENTRY, passes, not_asked))
    results = [failures.judge(FAILED), replace(FAILED, vector="passing", outcome=Outcome.PASSED)]
    results.append(replace(FAILED, vector="new"))
    new = {**ENTRY, "vector": "new", "reason": "wrong weights"}
    renewed = failures.renewed(results)
    assert renewed == {"known_failures": [ENTRY, new, not_asked]}
    write(renewed, tmp_path / "new.json")
    messages.conform(json.loads((tmp_path / "new.json").read_text("utf-8")), "known-failures")
    assert {file.name for file in tmp_path.iterdir()} == {"known.json", "new.json"}


def entries(file: Path) -> list[dict[str, Any]]:
    """Return the entries of a file."""
    failures: list[dict[str, Any]] = json.loads(file.read_text("utf-8"))["known_failures"]
    return failures


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_list_is_written_then_used_then_stale(tmp_path: Path, workers: str) -> None:
    file, report = tmp_path / "known.json", tmp_path / "report"
    failing = suite(WRONG, f"--write-known-failures={file}", "-n", workers)
    assert failing.returncode == 1
    assert f"known failures written to {file}" in failing.stdout
    assert {entry["vector"] for entry in entries(file)} >= {"worked-example", "control"}
    process = suite(WRONG, f"--known-failures={file}", f"--report={report}", "-n", workers)
    assert process.returncode == 0, process.stdout + process.stderr
    assert "decode worked-example (LLQ-PACK-3)" in process.stdout
    assert f"DOES NOT CONFORM as decode: {len(entries(file))} of " in process.stdout
    assert "FAILURES" not in process.stdout
    results = json.loads((report / "report.json").read_text("utf-8"))["results"]
    outcomes = {result["vector"]: result["outcome"] for result in results if result["check"] == "decode"}
    assert outcomes["worked-example"] == "known failure"
    stale = suite(RIGHT, f"--known-failures={file}", "-n", workers)
    assert stale.returncode == 1
    assert (
        "decode worked-example passes: delete the entry decode worked-example (LLQ-PACK-3: equals"
        in stale.stdout
    )
    assert stale.stdout.count(": delete ") == len(entries(file))


def test_what_is_not_selected_is_not_stale(tmp_path: Path) -> None:
    process = suite(RIGHT, f"--known-failures={listed(tmp_path, ENTRY)}", only="worked-example")
    assert process.returncode == 0, process.stdout + process.stderr


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"vector": "contrl"},
            "there is no vector contrl: correct or delete the entry decode contrl (LLQ-PACK-3",
        ),
        (
            {"check": "refuse"},
            "vector control has no check refuse: correct or delete the entry refuse control",
        ),
    ],
)
def test_an_entry_about_nothing_fails_before_the_run(
    tmp_path: Path, changed: dict[str, str], message: str
) -> None:
    process = suite(RIGHT, f"--known-failures={listed(tmp_path, {**ENTRY, **changed})}")
    assert process.returncode == 4
    assert message in process.stderr + process.stdout
    assert "Traceback" not in process.stderr + process.stdout


def test_a_broken_file_fails_before_the_run(tmp_path: Path) -> None:
    file = tmp_path / "known.json"
    file.write_text("{")
    process = suite(RIGHT, f"--known-failures={file}", "-n", "2")
    assert process.returncode == 4
    assert f"the known failures in {file} cannot be used" in process.stderr + process.stdout
    assert "Traceback" not in process.stderr + process.stdout
