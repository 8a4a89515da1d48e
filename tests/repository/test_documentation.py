"""What the documents show runs: every Python block, every llq command, every make target."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from llq_format.cli import app
from llq_format.exporting.checkpoint.warnings import TEXTS
from tests.support.command_line import llq
from tests.support.repository import ROOT

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _blocks(language: str) -> list[tuple[str, str]]:
    return [
        (path.name, match[2])
        for path in DOCUMENTS
        for match in FENCE.finditer(path.read_text("utf-8"))
        if match[1] == language
    ]


def _commands(program: str) -> set[str]:
    """Return the command lines of unmarked blocks and of code in running text that begin with a program."""
    lines: set[str] = set()
    for path in DOCUMENTS:
        text = path.read_text("utf-8")
        for match in FENCE.finditer(text):
            if match[1] in ("", "sh"):
                lines.update(line.split("#")[0].strip() for line in match[2].splitlines())
        lines.update(FENCE.sub("", text).split("`")[1::2])
    return {line for line in lines if line.startswith(program + " ")}


@pytest.mark.parametrize(("document", "block"), _blocks("python"))
def test_python_blocks_run(document: str, block: str, tmp_path: Path) -> None:
    assert document
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", block]
    subprocess.run(command, check=True, cwd=tmp_path, env=environment)  # noqa: S603  # our own documents


def test_there_are_python_blocks_and_commands_to_check() -> None:
    assert _blocks("python")
    assert len(_commands("llq")) >= 4
    assert len(_commands("make")) >= 3


@pytest.mark.parametrize("command", sorted(_commands("llq")))
def test_llq_commands_exist_with_these_options(command: str) -> None:
    subcommand, *arguments = shlex.split(command)[1:]
    assert subcommand in {entry.name for entry in app.registered_commands}
    help_text = llq(subcommand, "--help").output
    for option in (word for word in arguments if word.startswith("--")):
        assert option in help_text


@pytest.mark.parametrize("command", sorted(_commands("make")))
def test_make_targets_exist(command: str) -> None:
    target = command.split()[1]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


def test_the_guide_lists_every_warning_of_an_export() -> None:
    section = (ROOT / "docs/export.md").read_text("utf-8").partition("## Warnings")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE) == list(TEXTS)


def test_links_lead_somewhere() -> None:
    for path in [*DOCUMENTS, *sorted((ROOT / "conformance").glob("*.md")), ROOT / "vectors" / "README.md"]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text("utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"
