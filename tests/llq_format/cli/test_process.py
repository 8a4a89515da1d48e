"""The command as a process: help, versions, pipes, interrupts and imports."""

import os
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from llq_format.cli import app
from tests.support.command_line import WORKED_EXAMPLE, llq, on_terminal, run, start, tiny
from tests.support.repository import ROOT
from tests.support.speaking_packages import speaking_package
from tests.support.timeouts import seconds

pytestmark = pytest.mark.slow

PACKAGE, MUTE = Path("PACKAGE"), Path("MUTE")
"""Denote a package with a tokenizer and one without in the arguments of a test."""

COMMANDS = [command.name for command in app.registered_commands]


@pytest.fixture(scope="module")
def speaking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a small model with a tokenizer and a chat template."""
    return speaking_package(tmp_path_factory.mktemp("speaking"), chat_template="{{ messages[0].content }}")


def python(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run an interpreter of its own."""
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)  # noqa: S603  # ours


def test_the_commands_are_there() -> None:
    expected = {"validate", "inspect", "decode", "dump", "explain", "diff", "export", "synth"}
    assert expected <= {str(name) for name in COMMANDS}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_with_an_example_in_80_columns(command: str) -> None:
    result = llq(command, "--help")
    assert result.exit_code == 0
    assert f"Example: llq {command}" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert llq(command, "-h").stdout == result.stdout


def test_help_of_all_has_a_whole_sentence_for_each() -> None:
    text = llq("--help").stdout
    for command in COMMANDS:
        assert re.search(rf"^  {command} +[A-Z].*\.$", text, re.MULTILINE)
    assert "..." not in text.split("Commands:")[1]


def test_no_command_prints_help_and_is_misuse() -> None:
    result = llq()
    assert result.exit_code == 2
    assert "Commands:" in result.output


def test_version_names_package_and_format() -> None:
    result = llq("--version")
    assert result.exit_code == 0
    assert re.fullmatch(r"llq-format .+, format 1\.0\n", result.stdout)


@pytest.mark.parametrize("arguments", [["nonsense"], ["validate", "--nonsense", "x"], ["decode", "x"]])
def test_misuse_exits_2_and_says_so_on_stderr(arguments: list[str]) -> None:
    status, out, err = run(*arguments)
    assert status == 2
    assert out == ""
    assert "Error: " in err
    assert "Traceback" not in err


def test_the_entry_point_is_main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["scripts"] == {"llq": "llq_format.cli:main"}


def test_both_modules_run_the_command() -> None:
    for module in ("llq_format", "llq_format.cli"):
        process = python("-m", module, "explain", "nothing-1")
        assert process.returncode == 2
        assert process.stderr.startswith("Usage: llq explain ")


def test_a_reader_that_goes_away_gives_no_traceback(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    for arguments in (["dump", package, "-t", "embedding"], ["explain"], ["--help"]):
        with start(*arguments) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            assert process.stderr.read() == b""
            assert process.wait(seconds(60)) in (0, 1, 141)


def test_a_closed_standard_output_gives_no_traceback() -> None:
    command = f"{sys.executable} -m llq_format inspect {WORKED_EXAMPLE / 'package'} >&-"
    process = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=ROOT, check=False)  # noqa: S602
    assert process.stderr == ""
    assert process.returncode == 0


def test_an_encoding_that_lacks_a_character_gets_its_escape(tmp_path: Path) -> None:
    environment = {"PYTHONIOENCODING": "ascii", "PATH": "/usr/bin:/bin"}
    status, out, _ = run("inspect", tiny(tmp_path), env=environment)
    assert status == 0
    assert r"256 \xd7 128" in out


def test_ctrl_c_during_validation_stops_it(tmp_path: Path) -> None:
    package = tmp_path / "package"
    assert llq("synth", "smollm2-135m", package, "--layers", "4").exit_code == 0
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with start("validate", *[package] * 1000, env=environment) as process:
        assert process.stdout is not None
        assert b"warning LLQ-PKG-10" in process.stdout.readline()  # the first package is done
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=seconds(60))
    assert process.returncode == 130
    assert err == b"llq: interrupted: no unfinished files remain\n"


_WITHOUT = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"safetensors", "gguf", "tokenizers", "torch", "wgpu", "transformers"}:
            raise ModuleNotFoundError(f"no {name} here", name=name)

sys.meta_path.insert(0, Refuse())
sys.argv[0] = "llq"
from llq_format.cli import main
main()
"""


def test_all_but_export_works_without_the_extras(tmp_path: Path) -> None:
    package = tmp_path / "p"
    for arguments in (
        ["synth", "tiny", package],
        ["validate", package],
        ["inspect", package],
        ["decode", package, "norm", "-o", tmp_path / "norm.npy"],
        ["dump", package],
        ["explain"],
        ["diff", package, package],
    ):
        process = python("-c", _WITHOUT, *arguments)
        assert process.returncode == 0, process.stderr
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    (checkpoint / "config.json").write_text("{}")
    process = python("-c", _WITHOUT, "export", checkpoint, tmp_path / "q")
    assert process.returncode == 1
    assert "pip install 'llq-format[checkpoint]'" in process.stderr
    assert "Traceback" not in process.stderr


@pytest.mark.parametrize(
    ("arguments", "module", "extra"),
    [
        (["run", PACKAGE, "hello"], "tokenizers", "run"),
        (["run", PACKAGE, "hello", "--chat"], "tokenizers", "run"),
        (["run", PACKAGE, "hello", "--runtime", "webgpu"], "tokenizers", "run"),
        (["run", MUTE, "--ids", "1", "--runtime", "webgpu"], "wgpu", "webgpu"),
        (["devices"], "wgpu", "webgpu"),
        (["profile", PACKAGE], "wgpu", "webgpu"),
    ],
)
def test_a_command_names_the_extra_that_is_missing(
    arguments: list[str | Path], module: str, extra: str, speaking: Path
) -> None:
    paths = {PACKAGE: speaking, MUTE: speaking.with_name("mute")}
    process = python("-c", _WITHOUT, *(paths.get(Path(word), word) for word in arguments))
    assert process.returncode == 1
    assert "Traceback" not in process.stderr
    assert f"pip install 'llq-format[{extra}]'" in process.stderr
    assert module in process.stderr or "WebGPU" in process.stderr


def test_an_interpreter_without_jinja2_names_the_extra_of_chats(speaking: Path) -> None:
    without = _WITHOUT.replace('"transformers"', '"jinja2"').replace('"tokenizers", ', "")
    process = python("-c", without, "run", speaking, "hello", "--chat")
    assert process.returncode == 1
    assert process.stderr == "llq: this command requires jinja2: pip install 'llq-format[run]'\n"


def test_starting_imports_nothing_heavy() -> None:
    process = python("-c", "import sys, llq_format.cli; print(*sys.modules)")
    loaded = set(process.stdout.split())
    heavy = {
        "safetensors",
        "gguf",
        "tokenizers",
        "torch",
        "wgpu",
        "rich.progress",
        "importlib.metadata",
        "jinja2",
    }
    assert not loaded & heavy


def test_colour_is_for_terminals(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    environment = {"FORCE_COLOR": "1", "PATH": "/usr/bin:/bin"}
    _, out, err = run("validate", package, tmp_path, env=environment)
    assert "\x1b" not in out + err
    assert "\x1b" in on_terminal("validate", package, tmp_path)[1]
