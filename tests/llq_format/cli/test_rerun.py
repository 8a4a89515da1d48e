"""`llq rerun`: one vector of the suite, asked again."""

import subprocess
import sys
from pathlib import Path

import pytest

from conformance.core.vectors import VECTORS
from conformance.reporting.rerun import command
from llq_format.cli.suite import suite
from tests.support import hang_clock
from tests.support.command_line import llq
from tests.support.repository import ROOT

NIBBLES = "--runtime=py:examples.python.miniatures:NibblePairs"


def test_every_check_of_the_vector_is_asked() -> None:
    result = llq("rerun", "worked-example")
    assert result.exit_code == 0
    assert [line.rpartition("  (")[0] for line in result.stdout.splitlines()] == [
        "PASSED  decode worked-example",
        "PASSED  accept worked-example",
    ]


def test_a_failure_is_explained_in_full_and_not_claimed_is_not_a_pass() -> None:
    result = llq("rerun", "worked-example", NIBBLES)
    assert result.exit_code == 1
    assert "FAILED  decode worked-example" in result.stdout
    assert "  misreading equals *nibble pairs, even column in the low nibble* on 4096/4096" in result.stdout
    assert "NOT CLAIMED  accept worked-example" in result.stdout
    assert llq("rerun", "version-2-0", NIBBLES).exit_code == 1


def test_a_setup_is_created_for_the_vector() -> None:
    result = llq("rerun", "metadata-is-a-fifo")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["worked-exmaple"], "there is no vector 'worked-exmaple': did you mean worked-example?"),
        (["2-0"], "did you mean "),
        (["qqqqqq"], "index.json lists all"),
        (["worked-example", "--runtime=nothing"], "--runtime=nothing is not one of"),
        (["worked-example", "--vectors=/nowhere"], "cannot be used"),
    ],
)
def test_misuse_is_2(arguments: list[str], message: str) -> None:
    result = llq("rerun", *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in " ".join(result.stderr.split())


def test_a_broken_adapter_is_1_and_its_last_words_are_shown_safely() -> None:
    result = llq("rerun", "worked-example", f"--runtime=cmd:{sys.executable} -c 'exit(\"no \\x1b[31mGPU\")'")
    assert result.exit_code == 1
    assert "llq: the adapter is broken" in result.stderr
    assert "GPU" in result.stderr
    assert "\x1b" not in result.stderr


@pytest.mark.slow
def test_an_adapter_may_take_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hang_clock.set_in_this_process(monkeypatch, tmp_path)
    text = (ROOT / "examples/python/minimal_adapter.py").read_text(encoding="utf-8")
    hang = f"    {hang_clock.HANG}\n"
    slow = tmp_path / "slow.py"
    slow.write_text(text.replace("    metadata = json.loads", hang + "    metadata = json.loads"))
    result = llq("rerun", "worked-example", f"--runtime=cmd:{sys.executable} {slow}")
    assert result.exit_code == 1
    assert "TIMED OUT  decode worked-example" in result.stdout


def test_the_command_that_reports_print_is_one_line_for_a_shell() -> None:
    assert (
        command("a", "cmd:node 'x y'.mjs", VECTORS)
        == "llq rerun a --runtime='cmd:node '\"'\"'x y'\"'\"'.mjs'"
    )
    assert command("a", "reference", "my vectors") == "llq rerun a --runtime=reference --vectors='my vectors'"


def test_without_the_suite_the_command_says_what_to_install(tmp_path: Path) -> None:
    script = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"conformance", "llq_conformance"}:
            raise ModuleNotFoundError(f"no {name} here", name=name)
sys.meta_path.insert(0, Refuse())
from llq_format.cli import main
sys.argv = ["llq", *sys.argv[1:]]
main()
"""
    for arguments in (["rerun", "worked-example"], ["compare", str(tmp_path)]):
        process = subprocess.run(  # noqa: S603  # our own interpreter
            [sys.executable, "-c", script, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert process.returncode == 1
        assert "pip install 'llq-format[conformance]'" in process.stderr
        assert "Traceback" not in process.stderr


def test_what_the_suite_itself_lacks_is_not_taken_for_the_suite() -> None:
    with pytest.raises(ValueError, match="is not installed"):
        suite("no_such_module")
