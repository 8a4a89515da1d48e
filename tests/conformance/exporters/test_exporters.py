"""Exporters under test: its check finds every mutant on its rule, and no check fails a conforming variant."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance import exporters
from conformance.core.check import Outcome, Result
from conformance.core.rules import registry
from conformance.core.runtime import BrokenAdapter, Errored, TimedOut
from conformance.core.vectors import VECTORS, load
from conformance.exporters.checks import EXPORT_CHECKS
from conformance.exporters.command import CommandExporter
from conformance.exporters.in_process import InProcessExporter
from conformance.exporters.protocol import UnknownExporterError
from conformance.exporters.reference import Reference
from conformance.exporters.session import Session
from conformance.exporters.variants.conforming import CONFORMING, ConformingVariant
from conformance.exporters.variants.mutants import MUTANTS, Mutant
from conformance.mutation.find import find
from llq_format.exporting.export import MethodName, export
from tests.support.command_line import llq
from tests.support.suite_process import run_suite
from tests.support.timeouts import SHORT, seconds

pytestmark = pytest.mark.slow

BY_NAME = {check.name: check for check in EXPORT_CHECKS}
VECTORS_OF_EXPORT = [vector for vector in load(VECTORS) if vector.kind == "export"]
REPEATED = ("dense-llama-in-bfloat16",)
"""Vectors that `repeat` is asked of here: it waits for another second."""


def in_process(exporter: Any) -> InProcessExporter:
    """Return an exporter as the suite has it."""
    export = Reference.export.__get__(exporter) if isinstance(exporter, Reference) else exporter
    subject = InProcessExporter(type(exporter).__name__, export, seconds(60))
    subject.claim = exporter.claim
    return subject


def results_of(exporter: Any, check: str) -> Iterator[Result]:
    """Yield the results of a check of an exporter on top of the reference, one vector after another."""
    yield from asked_of(in_process(exporter), check)


def asked_of(exporter: InProcessExporter, check: str) -> Iterator[Result]:
    """Yield the results of a check, one vector after another."""
    session = Session(exporter, find("reference", seconds(60)))
    try:
        for vector in VECTORS_OF_EXPORT:
            if BY_NAME[check].concerns(vector) and (check != "repeat" or vector.id in REPEATED):
                yield BY_NAME[check](session, vector, Path())
    finally:
        session.close()


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=lambda mutant: mutant.name)
def test_each_mutant_fails_each_of_its_checks_on_its_rule(mutant: Mutant) -> None:
    for check in mutant.checks:
        detected = any(
            r.outcome is Outcome.FAILED and mutant.rule in r.broken for r in results_of(mutant, check)
        )
        another_rule = mutant.rule == "LLQ-WRITE-4" and check == "describe"
        assert detected or (
            another_rule and any(r.outcome is Outcome.FAILED for r in results_of(mutant, check))
        ), check


@pytest.mark.parametrize("variant", CONFORMING.values(), ids=lambda variant: variant.name)
def test_no_conforming_variant_fails(variant: ConformingVariant) -> None:
    results = [result for check in BY_NAME for result in results_of(variant, check)]
    bad = [result.explanation for result in results if result.outcome.bad]
    assert bad == []
    assert {result.check for result in results if result.outcome is Outcome.PASSED} >= {"export", "compute"}


def test_the_reference_passes() -> None:
    results = [result for check in BY_NAME for result in results_of(Reference(), check)]
    assert {result.outcome for result in results} == {Outcome.PASSED}
    assert {result.check for result in results} == set(BY_NAME)
    assert len([result for result in results if result.check == "decline"]) >= 20


@pytest.mark.parametrize(("method", "claim"), [("gptq", "weights"), ("awq", "model"), ("best", "model")])
def test_methods_that_calibrate_pass(method: MethodName, claim: str, tmp_path: Path) -> None:
    """Each with its possible claim: `gptq` leaves rows where they are, the others scale or mix them."""
    np.save(tmp_path / "ids.npy", np.random.default_rng(0).integers(0, 8, 256))

    def write(checkpoint: Path, package: Path) -> None:
        export(checkpoint, package, method=method, calibrate=tmp_path / "ids.npy")

    exporter = InProcessExporter(method, write, seconds(60))
    exporter.claim = claim
    names = [
        name
        for name in BY_NAME
        if name not in {"model": ("weights", "rounding"), "weights": ("rounding",)}[claim]
    ]
    results = [result for name in names for result in asked_of(exporter, name)]
    assert [result.explanation for result in results if result.outcome.bad] == []
    assert {result.check for result in results if result.outcome is Outcome.PASSED} == set(names)


COPIER = """
import os, sys
if "{checkpoint}" == sys.argv[1]: sys.exit("the places were not filled")
os.kill(os.getpid(), 9) if "nan" in sys.argv[1] else sys.exit("no")
"""


def test_a_command_is_asked_with_paths_and_a_crash_is_not_a_refusal(tmp_path: Path) -> None:
    script = tmp_path / "exporter.py"
    script.write_text(COPIER)
    command = CommandExporter(f"{sys.executable} {script} {{checkpoint}}/nan {{package}}", seconds(60))
    with pytest.raises(Errored, match="killed by signal 9"):
        command.export(tmp_path, tmp_path / "package")
    command = CommandExporter(f"{sys.executable} {script} {{checkpoint}} {{package}}", seconds(60))
    refused = command.export(tmp_path, tmp_path)
    assert (refused.succeeded, refused.message) == (False, "no")
    slow = CommandExporter(
        f"{sys.executable} -c 'import time; time.sleep(3600)' {{checkpoint}} {{package}}", SHORT
    )
    with pytest.raises(TimedOut, match=f"no package within {SHORT} s"):
        slow.export(tmp_path, tmp_path / "package")
    with pytest.raises(BrokenAdapter, match="cannot be started"):
        CommandExporter("/nowhere/exporter {checkpoint} {package}", 1).export(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nothing", "--exporter=nothing is not one of: reference"),
        ("cmd:llq export {checkpoint}", "does not contain {package}"),
        ("cmd:llq 'export {checkpoint} {package}", "is not a valid command line"),
        ("mutant:nobody", "there is no mutant exporter 'nobody'"),
        ("conforming:nobody", "there is no conforming variant of the exporter 'nobody'"),
    ],
)
def test_an_unknown_exporter_is_reported(spec: str, message: str) -> None:
    with pytest.raises(UnknownExporterError, match=re.escape(message)):
        exporters.find(spec, 1)


def test_the_suite_asks_a_command_and_reports(tmp_path: Path) -> None:
    line = f"cmd:{sys.executable} -m llq_format export {{checkpoint}} {{package}} --method rtn"
    chosen = ("-k", "gguf-of-q8-0 or checkpoint-with-nan-in-a-norm")
    process = run_suite(f"--exporter={line}", "--exporter-claims=rounding", f"--report={tmp_path}", *chosen)
    assert process.returncode == 0, process.stdout + process.stderr
    assert "partial: 10 of " in process.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["runtime"]["option"], report["runtime"]["spec"]) == ("exporter", line)
    statuses = {rule["id"]: rule["status"] for rule in report["rules"]}
    assert {statuses[f"LLQ-WRITE-{n}"] for n in (1, 2, 3, 5, 6, 7)} == {"passed"}


def test_a_failure_is_reported_with_its_rule_and_can_be_rerun() -> None:
    process = run_suite("--exporter=mutant:gate-up-swapped", "-k", "dense-llama-in-binary32")
    assert process.returncode == 1
    assert "breaks     LLQ-WRITE-6" in process.stdout
    assert "resembles  row 40 of the checkpoint's tensor" in process.stdout
    assert "llq rerun dense-llama-in-binary32 --exporter=mutant:gate-up-swapped" in process.stdout
    rerun = llq("rerun", "dense-llama-in-binary32", "--exporter=mutant:gate-up-swapped")
    assert rerun.exit_code == 1
    assert "FAILED  weights dense-llama-in-binary32" in rerun.stdout
    assert llq("rerun", "dense-llama-in-binary32", "--exporter=reference").exit_code == 0
    assert llq("rerun", "dense-llama-in-binary32").exit_code == 2
    assert llq("rerun", "worked-example", "--exporter=reference").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--exporter-claims=rounding",), "--exporter-claims requires --exporter"),
        (("--exporter=cmd:/nowhere/it {checkpoint} {package}",), "cannot be started"),
        (("--exporter=reference", "--quick"), "--quick applies to runtimes only"),
        (
            ("--exporter=reference", "--runtime=py:examples.python.miniatures:Right"),
            "does not claim",
        ),
    ],
)
def test_options_that_do_not_fit_are_misuse(arguments: tuple[str, ...], message: str) -> None:
    process = run_suite(*arguments)
    assert process.returncode == 4
    assert message in process.stdout + process.stderr


def test_there_are_many_mutants_and_each_names_a_rule_and_checks_that_exist() -> None:
    assert len(MUTANTS) >= 50
    assert {mutant.rule for mutant in MUTANTS.values()} <= set(registry())
    assert {check for mutant in MUTANTS.values() for check in mutant.checks} == set(BY_NAME)
