"""`pytest conformance` from end to end, as implementers run it: outcomes, exit status, summary, results."""

import hashlib
import json
import os
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import pytest

from conformance.core.rules import registry
from conformance.core.vectors import VECTORS
from conformance.runtimes import messages
from tests.support.hang_clock import HANG, environment
from tests.support.repository import ROOT
from tests.support.suite_process import run_suite
from tests.support.timeouts import seconds

pytestmark = pytest.mark.slow

NODE = "cmd:node examples/node/llq_adapter.mjs"
MINIMAL = f"cmd:{shlex.quote(sys.executable)} examples/python/minimal_adapter.py"
CHOSEN = ("worked-example", "control", "control-parts", "metadata-is-a-fifo", "version-2-0", "no-metadata")


class Run(NamedTuple):
    """What a run of the suite left."""

    status: int
    output: str
    results: dict[str, Any]

    @property
    def outcomes(self) -> dict[str, str]:
        """Return the outcome of each check of each vector."""
        return {
            f"{result['check']}-{result['vector']}": result["outcome"] for result in self.results["results"]
        }


ESCAPING = """
import json, sys

EVIL = "\\x1b]0;owned\\x07\\x9b31m\\u202e\\x00"
for line in sys.stdin:
    request = json.loads(line)
    if request["op"] == "bye":
        break
    if request["op"] == "hello":
        answer = {"op": "hello", "protocol": 1, "name": "name\\x1b[31m\\u202e", "version": EVIL,
                  "language": EVIL, "capabilities": ["decode", "reject", "tokenize"]}
    elif request["op"] == "validate":
        answer = {"id": request["id"], "ok": True, "valid": True, "rules": []}
    elif request["op"] == "tokenize":
        answer = {"id": request["id"], "ok": True, "ids": [1], "decoded": EVIL}
    else:
        print(EVIL, file=sys.stderr, flush=True)
        answer = {"id": request["id"], "ok": False, "error": EVIL}
    print(json.dumps(answer), flush=True)
"""
"""An adapter whose names and messages hold what a terminal obeys."""

Suite = Callable[..., Run]


@pytest.fixture
def few_vectors(tmp_path: Path) -> Path:
    """Provide a directory whose index lists a few of the vectors."""
    index = json.loads((VECTORS / "index.json").read_text(encoding="utf-8"))
    chosen = [vector for vector in index["vectors"] if vector["id"] in CHOSEN]
    assert len(chosen) == len(CHOSEN)
    for vector in chosen:
        vector["path"] = str(VECTORS / vector["path"])
        vector["tensors"] = {n: str(VECTORS / path) for n, path in vector.get("tensors", {}).items()}
    (tmp_path / "index.json").write_text(json.dumps({**index, "vectors": chosen}))
    return tmp_path


@pytest.fixture
def suite(tmp_path: Path, few_vectors: Path) -> Suite:
    """Provide a function that runs the suite over a few vectors."""

    def run(
        runtime: str, *arguments: str, vectors: Path = few_vectors, env: dict[str, str] | None = None
    ) -> Run:
        directory = tmp_path / "report"
        options = [f"--runtime={runtime}", f"--vectors={vectors}", f"--report={directory}"]
        process = run_suite(*options, *arguments, env=env)
        report = directory / "report.json"
        results = json.loads(report.read_text()) if report.exists() else {}
        return Run(process.returncode, process.stdout + process.stderr, results)

    return run


def miniature(name: str) -> str:
    return f"py:examples.python.miniatures:{name}"


def misbehaving(name: str) -> str:
    return f"py:tests.support.misbehaving_runtimes:{name}"


def test_the_reference_passes(suite: Suite) -> None:
    run = suite("reference")
    assert run.status == 0, run.output
    assert set(run.outcomes.values()) == {"passed"}
    assert len(run.outcomes) == 3 + 3 + 3 + 1
    assert (
        "conforms as decode, reject, activations, matvec, logits, trace, generate, sample, adjust, tokenize: "
        "10 checks passed" in run.output
    )


@pytest.mark.parametrize("runtime", [NODE, MINIMAL])
def test_the_example_adapters_pass_every_vector(suite: Suite, runtime: str) -> None:
    run = suite(runtime, "-q", vectors=VECTORS)
    assert run.status == 0, run.output
    assert set(run.outcomes.values()) == {"passed", "not claimed"}
    assert "not claimed  reject" in run.output


def test_the_examples_are_short_and_share_no_code() -> None:
    for file, longest in (("node/llq_adapter.mjs", 200), ("python/minimal_adapter.py", 60)):
        text = (ROOT / "examples" / file).read_text(encoding="utf-8")
        assert len(text.splitlines()) < longest
        assert "import" in text
        assert not any(
            f"{word} {name}" in text for word in ("from", "import") for name in ("conformance", "llq")
        )


def test_what_is_not_claimed_is_counted_as_such(suite: Suite) -> None:
    run = suite(miniature("Right"))
    assert run.status == 0
    assert run.outcomes["decode-worked-example"] == "passed"
    assert run.outcomes["refuse-version-2-0"] == "not claimed"
    assert "3 passed, 7 not claimed" in run.output
    assert "skipped" not in run.output


def test_the_misreading_of_a_decoder_is_reported_once(suite: Suite) -> None:
    run = suite(miniature("NibblePairs"))
    assert run.status == 1
    assert run.outcomes["decode-worked-example"] == "failed"
    assert "LLQ-PACK-3        3 × equals *nibble pairs, even column in the low nibble*" in run.output
    assert run.output.count("breaks     LLQ-PACK-3") == 1
    assert (
        "Rerun one vector: llq rerun worked-example --runtime=py:examples.python.miniatures:NibblePairs"
        in run.output
    )
    assert "DOES NOT CONFORM as decode: 3 of 3 checks not passed" in run.output


def test_a_validator_that_does_not_look_is_reported(suite: Suite) -> None:
    run = suite(miniature("AcceptsAll"))
    assert run.status == 1
    assert "3 × accepted every invalid package: does it validate at all?" in run.output
    run = suite(miniature("RefusesAll"))
    assert "3 × refused every conforming package: does it validate at all?" in run.output
    assert run.outcomes["refuse-metadata-is-a-fifo"] == "passed"


def test_errors_are_not_failures(suite: Suite) -> None:
    run = suite(misbehaving("Raises"))
    assert run.status == 1
    assert {run.outcomes[f"decode-{name}"] for name in CHOSEN[:3]} == {"errored"}
    assert "errored           1 × KeyError: 'weight of package'" in run.output


def test_time_outs_are_an_outcome_of_their_own(suite: Suite, tmp_path: Path) -> None:
    """The adapter is right on the simplest vector, so that the smoke test passes, and hangs on others."""
    slow = tmp_path / "slow.py"
    text = (ROOT / "examples/python/minimal_adapter.py").read_text(encoding="utf-8")
    hang = f"    if 'worked-example' not in str(package): {HANG}\n"
    slow.write_text(text.replace("    metadata = json.loads", hang + "    metadata = json.loads"))
    clock = ("-p", "tests.support.hang_clock")
    run = suite(f"cmd:{sys.executable} {slow}", *clock, env={**os.environ, **environment(tmp_path)})
    assert run.status == 1
    assert run.outcomes["decode-worked-example"] == "passed"
    assert run.outcomes["decode-control"] == "timed out"
    assert f"2 × no answer to 'decode' within {seconds(30):g} s" in run.output


def test_the_suite_runs_together_with_pytest_timeout(suite: Suite) -> None:
    run = suite("reference", f"--timeout={seconds(250)}", f"--answer-timeout={seconds(200)}")
    assert run.status == 0, run.output
    assert f"timeout: {seconds(250)}s" in run.output
    assert run.results["options"]["timeout"] == seconds(200)


def test_a_broken_adapter_ends_the_run_before_it_begins(suite: Suite, tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text(
        "import sys; print('gpu found', file=sys.stderr, flush=True); print('loading model'); input()"
    )
    run = suite(f"cmd:{sys.executable} {broken}")
    assert run.status == 4
    assert "the adapter is broken: it wrote 'loading model' to standard output" in run.output
    assert "gpu found" in run.output
    assert "collected" not in run.output


def test_a_runtime_that_is_wrong_on_the_simplest_vector_is_not_called_a_broken_adapter(suite: Suite) -> None:
    assert "adapter is broken" not in suite(miniature("Noise")).output
    assert "adapter is broken: decode returned an array of float64" in suite(misbehaving("Doubles")).output


@pytest.mark.parametrize(
    ("runtime", "message"),
    [
        ("firefox", "--runtime=firefox is not one of: reference, webgpu, "),
        ("py:conformance", "is not one of"),
        (
            "py:nowhere:Runtime",
            "the adapter is broken: py:nowhere:Runtime cannot be loaded: ModuleNotFoundError",
        ),
        ("py:examples.python.miniatures:Nobody", "cannot be loaded: AttributeError"),
        ("cmd:/nowhere/adapter", "the adapter is broken: '/nowhere/adapter' cannot be started"),
    ],
)
def test_a_runtime_that_cannot_be_had(suite: Suite, runtime: str, message: str) -> None:
    run = suite(runtime)
    assert run.status == 4
    assert message in run.output


def test_no_vectors_is_an_error(suite: Suite, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "index.json").write_text('{"version": "1.0", "vectors": []}')
    run = suite(miniature("Right"), vectors=empty)
    assert run.status == 4
    assert "expected at least one" in run.output


def test_a_partial_run_has_a_partial_verdict_everywhere(suite: Suite, tmp_path: Path) -> None:
    junit = tmp_path / "junit.xml"
    text = "partial: 1 of 3 checks ran (-k worked-example) and passed; only a complete run shows conformance"
    for workers in ((), ("-n", "2")):
        run = suite(miniature("Right"), "-k", "worked-example", f"--junitxml={junit}", *workers)
        assert run.status == 0, run.output
        assert f" {text} " in " ".join(run.output.split())
        assert "conforms as" not in run.output
        assert run.results["verdict"] == {"status": "partial", "text": text, "omitted": 2}
        page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
        assert text[1:] in page
        assert '<section class="verdict" data-status="unclear">' in page
        properties = {
            element.attrib["name"]: element.attrib["value"]
            for element in ET.parse(junit).iter("property")  # noqa: S314  # ours
        }
        assert (properties["llq_verdict"], properties["llq_verdict_text"]) == ("partial", text)


def test_a_complete_run_says_that_it_conforms_everywhere(suite: Suite, tmp_path: Path) -> None:
    """What a runtime does not claim is no part of a complete run."""
    run = suite(miniature("Right"), f"--junitxml={tmp_path / 'junit.xml'}")
    text = "conforms as decode: 3 checks passed"
    assert f"\n{text}\n" in run.output
    assert run.results["verdict"] == {"status": "conforms", "text": text, "omitted": 0}
    assert 'name="llq_verdict" value="conforms"' in (tmp_path / "junit.xml").read_text("utf-8")
    assert 'data-status="passed"' in (tmp_path / "report" / "index.html").read_text(encoding="utf-8")


def test_the_first_failure_ends_a_run_that_is_partial(suite: Suite) -> None:
    run = suite(miniature("NibblePairs"), "-x")
    assert run.status == 1
    text = "DOES NOT CONFORM as decode: 1 of 1 checks not passed; partial: 1 of 3 checks ran"
    assert run.results["verdict"]["text"] == f"{text} (stopped after 1 failures)"
    assert run.results["verdict"]["omitted"] == 2


def test_the_quick_set_gives_a_partial_verdict(suite: Suite) -> None:
    run = suite(miniature("Right"), "--quick", vectors=VECTORS)
    assert run.status == 0, run.output
    assert re.search(r"\npartial: \d+ of \d+ checks ran \(--quick\) and passed", run.output)
    assert run.results["verdict"]["status"] == "partial"


def test_an_interrupted_run_is_partial(suite: Suite, tmp_path: Path) -> None:
    """The plugin interrupts the run as Ctrl-C does, after the first check."""
    (tmp_path / "interrupting.py").write_text(
        "def pytest_runtest_teardown(item, nextitem):\n    raise KeyboardInterrupt\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    run = suite(miniature("Right"), "-p", "interrupting", env=environment)
    assert run.status == 2
    assert "partial: 1 of 3 checks ran (interrupted) and passed" in run.output
    assert "conforms as" not in run.output
    assert run.results["verdict"]["status"] == "partial"


def test_escape_sequences_of_an_adapter_never_reach_the_terminal(suite: Suite, tmp_path: Path) -> None:
    script = tmp_path / "adapter.py"
    script.write_text(ESCAPING)
    junit = tmp_path / "junit.xml"
    run = suite(f"cmd:{shlex.quote(sys.executable)} {script}", f"--junitxml={junit}", "-ra", "-v")
    assert run.status == 1
    for text in (
        run.output,
        junit.read_text("utf-8"),
        (tmp_path / "report" / "report.json").read_text("utf-8"),
        (tmp_path / "report" / "index.html").read_text("utf-8"),
    ):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert r"\x1b]0;owned\x07" in run.output
    assert r"name\x1b[31m\u202e" in run.output


def test_without_posix_the_suite_refuses_in_one_sentence(suite: Suite, tmp_path: Path) -> None:
    (tmp_path / "windows.py").write_text("import os\ndel os.killpg\n")
    run = suite(miniature("Right"), "-p", "windows", env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert run.status == 4
    assert run.output == (
        "ERROR: the suite needs POSIX to end adapters: use Linux, macOS or the Windows Subsystem for "
        "Linux\n\n"
    )


def test_a_run_that_asked_nothing_does_not_succeed(suite: Suite) -> None:
    run = suite(miniature("Right"), "-k", "refuse")
    assert run.status == 5
    assert "NOTHING CHECKED" in run.output


def test_one_vector_can_be_rerun(suite: Suite) -> None:
    run = suite("reference", "-k", "version-2-0")
    assert run.outcomes == {"refuse-version-2-0": "passed"}


def timeless(report: dict[str, Any]) -> dict[str, Any]:
    """Return a report without what differs between two runs."""
    results = [result | {"seconds": 0} for result in report["results"]]
    options = report["options"] | {"processes": 1}
    return report | {"date": "", "seconds": 0, "suite": {}, "options": options, "results": results}


def test_processes_of_xdist_give_one_summary(suite: Suite) -> None:
    alone, together = suite(miniature("NibblePairs")), suite(miniature("NibblePairs"), "-n", "2")
    assert together.status == 1
    assert together.results["options"]["processes"] == 2
    assert timeless(together.results) == timeless(alone.results)
    assert "LLQ-PACK-3        3 × equals" in together.output
    assert together.output.count("breaks     LLQ-PACK-3") == 1


def test_the_page_is_next_to_the_report_and_is_the_same_from_processes(suite: Suite, tmp_path: Path) -> None:
    pages = []
    for arguments in ((), ("-n", "2")):
        run = suite(miniature("NibblePairs"), *arguments)
        assert f"report: {tmp_path / 'report' / 'index.html'}" in run.output
        page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
        pages.append(re.sub(r"<dt>(suite|made|options)</dt><dd>.*?</dd>", "", page))
    assert pages[0] == pages[1]
    assert f"llq rerun worked-example --runtime={miniature('NibblePairs')} --vectors=" in pages[0]


def test_a_run_without_results_leaves_no_report(suite: Suite, tmp_path: Path) -> None:
    assert suite("reference", "-k", "no-such-vector").status == 5
    assert suite(misbehaving("Doubles")).status == 4
    assert not (tmp_path / "report").exists()


def test_a_report_that_cannot_be_written_is_not_a_success(suite: Suite, tmp_path: Path) -> None:
    (tmp_path / "report").write_text("a file")
    run = suite("reference")
    assert run.status == 4
    assert "is a file, expected a directory" in run.output
    (tmp_path / "report").unlink()
    (tmp_path / "report" / "index.html").mkdir(parents=True)
    run = suite("reference")
    assert run.status == 4
    assert "report not written: " in run.output
    assert "INTERNALERROR" not in run.output


def test_failures_end_with_the_command_that_reruns_them(suite: Suite, few_vectors: Path) -> None:
    output = suite(miniature("NibblePairs")).output
    runtime = "py:examples.python.miniatures:NibblePairs"
    command = f"llq rerun worked-example --runtime={runtime} --vectors={few_vectors}"
    assert f"  rerun      {command}\n" in output
    assert f"Rerun one vector: {command}\n" in output


def test_the_summary_counts_rules_and_fits_80_columns(suite: Suite) -> None:
    output = suite(miniature("NibblePairs"), "-k", "worked-example").output
    assert f"\nrules        0 of {len(registry())} passed, 1 failed, 2 unclear, " in output
    summary = output.partition("LLQ 1.0 conformance")[2].splitlines()[1:]
    lines = [line for line in summary if not line.startswith(("Rerun one vector: ", "report: "))]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_junit_names_rules_and_capabilities(suite: Suite, tmp_path: Path, workers: tuple[str, ...]) -> None:
    junit = tmp_path / "junit.xml"
    suite(miniature("NibblePairs"), f"--junitxml={junit}", *workers)
    tree = ET.parse(junit)  # noqa: S314  # ours
    (case,) = (
        element for element in tree.iter("testcase") if "decode-worked-example" in element.attrib["name"]
    )
    properties = {element.attrib["name"]: element.attrib["value"] for element in case.iter("property")}
    assert properties == {
        "check": "decode",
        "vector": "worked-example",
        "capabilities": "decode",
        "rules": "LLQ-PACK-2, LLQ-PACK-3, LLQ-PACK-4",
        "outcome": "failed",
        "broken": "LLQ-PACK-3",
        "misreadings": "nibble pairs, even column in the low nibble",
    }
    (failure,) = case.iter("failure")
    assert "block 0 (0, 0), row 0, column 0 of the block" in (failure.text or "")


def test_the_report_follows_its_schema(suite: Suite) -> None:
    run = suite(NODE)
    messages.conform(run.results, "report")
    adapter = ROOT / "examples" / "node" / "llq_adapter.mjs"
    assert run.results["runtime"] == {
        "spec": NODE,
        "name": "llq-node-example",
        "version": "1.0.0",
        "language": "JavaScript",
        "kv_cache": "",
        "extensions": [],
        "device": "",
        "capabilities": ["decode"],
        "adapter": [
            {
                "file": "examples/node/llq_adapter.mjs",
                "sha256": hashlib.sha256(adapter.read_bytes()).hexdigest(),
            }
        ],
    }
    assert run.results["totals"] == {
        "passed": 3,
        "failed": 0,
        "not claimed": 7,
        "errored": 0,
        "timed out": 0,
        "known failure": 0,
    }


def test_the_example_of_the_guide_is_real(suite: Suite) -> None:
    """README.md shows a failure; the suite still writes it so, word for word."""
    guide = (ROOT / "conformance" / "README.md").read_text(encoding="utf-8")
    example = guide.partition("```text\n")[2].partition("```")[0]
    assert example.startswith("decode worked-example: ")
    assert example in suite(miniature("NibblePairs")).output
