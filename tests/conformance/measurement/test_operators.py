"""The run of mutation operators: verdicts, continuation, interruption, reasons and the report."""

import ast
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.measurement.operators.page import html
from conformance.measurement.operators.questions import Recording, questions
from conformance.measurement.operators.reasons import Reason, explanation, reasons
from conformance.measurement.operators.report import Report
from conformance.measurement.operators.results import ResultsFile, Row, read
from conformance.measurement.operators.run import Priorities
from conformance.mutation.operators.mutants import OperatorMutant
from conformance.mutation.operators.observation import Observation
from conformance.mutation.operators.operator import Change
from conformance.mutation.operators.sources import load
from tests.support.command_line import HEARS_SIGINT
from tests.support.repository import ROOT
from tests.support.timeouts import seconds, wait_until

COMMAND = [sys.executable, "-m", "conformance.measurement.operators", "--jobs", "2"]
INT8 = ("--questions", "activations-*", "--only", "*:quantize_int8")


def row(key: str, verdict: str, **fields: object) -> Row:
    """Return a row of a results file."""
    values = {
        "module": "llq_format.reference.ops",
        "before": "x + 1",
        "after": "x",
        "function": "f",
        "line": 1,
    }
    return Row(key=key, area="decoder", operator="arithmetic", verdict=verdict, **values | fields)  # type: ignore[arg-type]  # members of several types


def run(results: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command with a file of results."""
    return subprocess.run(  # noqa: S603  # our own command
        [*COMMAND, "--results", str(results), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=seconds(120),
        check=False,
    )


@pytest.fixture(scope="module")
def int8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the results of one function, asked about activations alone."""
    folder = tmp_path_factory.mktemp("mutants")
    completed = run(
        folder / "results.jsonl", *INT8, "--json", str(folder / "r.json"), "--html", str(folder / "r.html")
    )
    assert completed.returncode in (0, 1), completed.stderr
    return folder


@pytest.mark.slow
def test_a_mutant_that_vectors_see_is_killed_and_a_legal_one_survives(int8: Path) -> None:
    verdicts = {(r.before, r.after): r.verdict for r in read(int8 / "results.jsonl")}
    rounded = next(before for before, _ in verdicts if before.startswith("np.rint("))
    assert verdicts[rounded, rounded.removeprefix("np.rint(")[:-1]] == "killed"
    assert verdicts["largest > 0", "largest >= 0"] == "survived" or "timed out" not in verdicts.values()
    assert list(verdicts.values()).count("killed") > len(verdicts) / 2


@pytest.mark.slow
def test_the_report_counts_every_mutant(int8: Path) -> None:
    report = json.loads((int8 / "r.json").read_text("utf-8"))
    made = sum(counts["made"] for counts in report["operators"].values())
    assert made == len(list(read(int8 / "results.jsonl"))) == report["areas"]["decoder"]["made"]
    assert report["complete"] is False
    assert "quantize_int8" in (int8 / "r.html").read_text("utf-8")


@pytest.mark.slow
def test_a_run_continues_where_it_ended(int8: Path) -> None:
    file = int8 / "results.jsonl"
    complete = file.read_text("utf-8")
    file.write_text(complete[: len(complete) * 2 // 3], encoding="utf-8")  # within a line
    kept = file.read_text("utf-8").splitlines()[:-1]
    completed = run(file, *INT8)
    assert completed.returncode in (0, 1), completed.stderr
    lines = file.read_text("utf-8").splitlines()
    assert lines[: len(kept)] == kept
    assert {json.loads(line).get("key") for line in lines} == {
        json.loads(line).get("key") for line in complete.splitlines()
    }


@pytest.mark.slow
def test_an_interrupted_run_leaves_its_results(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    process = subprocess.Popen(  # noqa: S603  # our own command
        [*COMMAND, "--results", str(file), "--questions", "matvec-*"],  # minutes: it does not end by itself
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **HEARS_SIGINT,
    )
    wait_until(lambda: len(list(read(file))) >= 3, 60)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=seconds())
    assert process.returncode == 130
    assert "not all mutants" in output
    assert len(list(read(file))) >= 3


def test_results_of_other_inputs_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    first = ResultsFile(path, "a")
    first.add(row("1", "killed", by="logits-x"))
    first.close()
    assert [r.key for r in read(path, "a")] == ["1"]
    second = ResultsFile(path, "b")
    second.close()
    assert list(read(path, "b")) == []


def test_a_survivor_needs_a_reason_and_a_reason_a_survivor() -> None:
    legal = Reason("legal", "equal", operator="arith*", before="x + *")
    unused = Reason("hole", "no vector", function="g")
    rows = [row("1", "survived"), row("2", "survived", before="y[0] - 1"), row("3", "killed", by="decode-x")]
    report = Report(rows, complete=True, reasons=(legal, unused))
    assert [r.key for r in report.unexplained] == ["2"]
    assert report.stale == [unused]
    assert Report(rows, complete=False, reasons=(legal, unused)).stale == []
    assert report.counts(lambda r: r.area)["decoder"] == {
        "made": 3,
        "legal": 1,
        "unexplained": 1,
        "killed": 1,
    }
    assert "survived   llq_format.reference.ops:1 arithmetic: y[0] - 1 -> x" in report.text()
    assert "explains no survivor" in report.text()
    assert explanation(row("4", "survived", before="a[0] + b"), [Reason("legal", "r", before="a[0]*")])


def test_an_entry_with_several_codes_before_is_one_reason_for_each(tmp_path: Path) -> None:
    file = tmp_path / "survivors.toml"
    file.write_text(
        '[[reason]]\nkind = "legal"\nfunction = ["f", "g"]\nbefore = ["x + *", "y"]\nreason = "Equal."\n',
        encoding="utf-8",
    )
    entries = reasons(tmp_path)
    assert [entry.before for entry in entries] == ["x + *", "y"]
    rows = [row("1", "survived"), row("2", "survived", function="g"), row("3", "survived", function="h")]
    report = Report(rows, complete=True, reasons=entries)
    assert [r.key for r in report.unexplained] == ["3"]
    assert [reason.before for reason in report.stale] == ["y"]


def test_the_questions_that_reach_rare_branches_come_before_equally_short_ones() -> None:
    source = load("llq_format.reference.sampling")
    sites = [number for number, node in enumerate(source.nodes) if source.function(node) == "uniform"]
    everywhere, rare = sites[1], sites[2]
    observations = {
        (source.module, everywhere): Observation({0: 0, 1: 0, 2: 0}),
        (source.module, rare): Observation({2: 0}),
    }
    recording = Recording(questions("activations-int8-*")[:3], observations, (0.1, 0.1, 0.1))
    mutant = OperatorMutant(
        source, source.nodes[everywhere], Change(ast.Pass()), "x", frozenset({0, 1, 2}), reached=True
    )
    priorities = Priorities(recording, limit=1)
    assert priorities.order(mutant) == [2, 0, 1]
    priorities.add(
        row("1", "killed", module=source.module, function="uniform", by=recording.questions[1].name)
    )
    assert priorities.order(mutant) == [1, 2, 0]
    assert Priorities(recording, limit=0.25).order(mutant) == [2, 0]


def test_a_changed_module_and_those_that_import_it_are_imported_again() -> None:
    code = """
import sys
from conformance.mutation.operators import loading
from conformance.mutation.operators.sources import load

loading.preload()
names = ("llq_format.reference.sampling", "llq_format.reference.generation", "llq_format.reference.rope")
before = [sys.modules[name] for name in names]
loading.use({names[0]: load(names[0]).tree})
from conformance.runtimes.reference import generate, reference_sampling

print([sys.modules[name] is module for name, module in zip(names, before)])
print(reference_sampling is sys.modules[names[0]], generate is sys.modules[names[1]].generate)
print(type(reference_sampling.__loader__).__name__)
"""
    output = subprocess.run(  # noqa: S603  # our own code
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=seconds(), check=True
    ).stdout
    assert output.splitlines() == ["[False, False, True]", "True True", "_TreeLoader"]


def test_the_page_shows_code_before_and_after_escaped() -> None:
    page = html(Report([row("1", "survived", before="a < b", after="a <= b")], complete=True, reasons=()))
    assert "a &lt; b" in page
    assert "a &lt;= b" in page


def test_reasons_are_sentences_and_no_two_are_the_same() -> None:
    entries = reasons()
    assert entries
    assert len(set(entries)) == len(entries)
    assert all(entry.reason[0].isupper() and entry.reason.endswith(".") for entry in entries)
