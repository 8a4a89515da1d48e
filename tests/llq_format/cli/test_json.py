"""Every command that accepts `--json` prints one JSON value, and nothing else, on standard output."""

import inspect
import json
import signal
from pathlib import Path

import pytest

from llq_format.cli import app
from tests.llq_format.cli.test_export import write_checkpoint
from tests.support.command_line import llq, start, tiny
from tests.support.timeouts import seconds

pytestmark = pytest.mark.slow

SIGNATURES = {
    str(command.name): inspect.signature(command.callback)
    for command in app.registered_commands
    if command.callback is not None
}
ACCEPTING = {name for name, signature in SIGNATURES.items() if "json" in signature.parameters}

P, NEW, CHECKPOINT, IDS = "PACKAGE", "NEW", "CHECKPOINT", "IDS"
"""Words that a test replaces by paths."""

CASES = (
    ("validate", P),
    ("validate", P, "--index-only"),
    ("validate", P, "--max-findings", "1"),
    ("inspect", P),
    ("inspect", P, "--all"),
    ("dump", P),
    ("dump", P, "-t", "norm"),
    ("dump", P, "-t", "layers.0.ffn.down", "-b", "0"),
    ("layout",),
    ("explain",),
    ("explain", "part-4"),
    ("explain", "DEQ"),
    ("explain", "--url"),
    ("explain", "part-4", "--url"),
    ("diff", P, P),
    ("diff", P, P, "--index-only"),
    ("export", CHECKPOINT, NEW),
    ("eval", P, "--against", CHECKPOINT, "--text", IDS, "--tokens", "32"),
    ("program", P),
    ("run", P, "--ids", "1,2", "--max-tokens", "2"),
    ("synth", "tiny", NEW),
    ("synth", "--list"),
    ("compare", "REPORT"),
)
ELSEWHERE = {"devices": "test_webgpu.py", "profile": "test_profile.py", "serve": "this module, below"}
"""Commands that need a device, or that run until they are stopped, and the module of their test."""


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    import numpy as np  # noqa: PLC0415  # for one file

    from conformance.reporting.report import write  # noqa: PLC0415  # takes seconds
    from tests.support.sample_reports import report_of  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("json")
    checkpoint = write_checkpoint(folder / "checkpoint", hidden=128, layers=1, vocab=160)
    assert llq("export", checkpoint, folder / "package").exit_code == 0
    np.save(folder / "ids.npy", np.arange(64) % 160)
    write(report_of(), folder / "report", "page")
    return {
        P: folder / "package",
        CHECKPOINT: checkpoint,
        IDS: folder / "ids.npy",
        "REPORT": folder / "report",
    }


def test_every_command_with_the_option_is_tested() -> None:
    assert {command for command, *_ in CASES} | ELSEWHERE.keys() == ACCEPTING


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_standard_output_is_one_json_value(
    case: tuple[str, ...], paths: dict[str, Path], tmp_path: Path
) -> None:
    places = paths | {NEW: tmp_path / "new"}
    result = llq(*(places.get(word, word) for word in case), "--json")
    assert result.exit_code == 0, result.output
    json.loads(result.stdout)
    assert result.stdout.isascii()


def test_serve_prints_json_before_it_serves(tmp_path: Path) -> None:
    with start("serve", tiny(tmp_path), "--json", "--port", "0") as process:
        assert process.stdout is not None
        text = b""
        while not text.endswith(b"}\n"):
            line = process.stdout.readline()
            assert line
            text += line
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=seconds(60))
    assert json.loads(text)["url"].startswith("http://127.0.0.1:")
    assert rest == b""


def test_geometries_are_listed_as_data() -> None:
    value = json.loads(llq("synth", "--list", "--json").stdout)
    names = [line for line in llq("synth", "--list").stdout.splitlines() if not line.startswith(" ")]
    assert [entry["name"] for entry in value] == names
    assert all(len(entry["model"]["layers"]) > 0 for entry in value)


def test_addresses_of_rules_are_data() -> None:
    lines = llq("explain", "DEQ", "--url").stdout.splitlines()
    assert json.loads(llq("explain", "DEQ", "--url", "--json").stdout) == lines
    assert json.loads(llq("explain", "deq-1", "--url", "--json").stdout) == lines[0]
