"""The implementers' guide works: a test runs its blocks in order, in an empty directory, suite installed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import ROOT
from tests.support.timeouts import seconds

pytestmark = pytest.mark.slow

GUIDE = ROOT / "conformance" / "ADAPTERS.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\w+\.py)\n")


def _tutorial() -> list[tuple[str, str]]:
    """Return language and text of each block of the part that can be followed."""
    text = GUIDE.read_text("utf-8")
    part = text[text.index("## Fifteen minutes") : text.index("### Without numpy")]
    return BLOCK.findall(part)


def _holds(output: str, expected: str) -> bool:
    """Return whether a line that the guide shows, with … for omissions, appears in an output."""
    pattern = ".*".join(re.escape(part.strip()) for part in expected.split("…"))
    return any(re.search(pattern, line) for line in output.splitlines())


@pytest.fixture(scope="module")
def environment(installed: Path) -> dict[str, str]:
    """Provide what an activated virtual environment with the wheel would."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    limit = f"--answer-timeout={seconds(30):g}"
    return {
        **os.environ,
        "PATH": path,
        "PYTHONPATH": str(installed),
        "PYTHONSAFEPATH": "",
        "PYTEST_ADDOPTS": limit,
    }


def test_a_newcomer_can_follow_the_guide(environment: dict[str, str], tmp_path: Path) -> None:
    output, ran, compared = "", 0, 0
    for language, text in _tutorial():
        if language == "python":
            name = FILE.match(text)
            assert name, text
            (tmp_path / name[1]).write_text(text)
        elif language == "sh":
            process = subprocess.run(  # noqa: S603  # our own guide
                ["/bin/sh", "-c", text],
                check=False,
                capture_output=True,
                text=True,
                cwd=tmp_path,
                env=environment,
            )
            output, ran = process.stdout + process.stderr, ran + 1
        elif language == "text":
            for line in text.splitlines():
                assert _holds(output, line), f"{line}\n--- is not in ---\n{output}"
                compared += 1
        else:
            assert language == "console"  # what only a fresh machine can do
    assert ran >= 6
    assert compared >= 8


def test_every_command_of_the_guide_is_compared_with_what_it_prints() -> None:
    languages = [language for language, _ in _tutorial()]
    for language, following in zip(languages, [*languages[1:], ""], strict=True):
        assert language != "sh" or following == "text"


def test_lines_that_are_not_printed_are_noticed() -> None:
    assert _holds("a 1 b\nc", "a … b")
    assert not _holds("a 1 b\nc", "a … c")
