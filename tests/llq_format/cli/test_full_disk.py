"""Commands that write to a file system that becomes full, a small one in memory."""

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.llq_format.cli.test_export import write_checkpoint
from tests.support.command_line import llq
from tests.support.repository import ROOT
from tests.support.timeouts import seconds

CODE = """
import json, subprocess, sys
place, size, lines = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", place], check=True)
for line in lines:
    done = subprocess.run([sys.executable, "-m", "llq_format", *line], capture_output=True, text=True)
    names = subprocess.run(["find", place, "-mindepth", "1"], capture_output=True, text=True).stdout.split()
    print(json.dumps([done.returncode, done.stderr, sorted(names)]))
"""
"""Mounts a file system, runs commands, and prints status, messages and names of files after each."""


@cache
def can_mount() -> bool:
    """Return whether a process of this user may mount a file system of its own."""
    if shutil.which("unshare") is None or shutil.which("mount") is None:
        return False
    command = ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603  # ours


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not can_mount(), reason="no file system can be mounted here"),
]


def run(place: Path, size: int, *lines: list[str]) -> list[tuple[int, str, list[str]]]:
    """Run commands on a file system of `size` bytes; return status, messages and files after each."""
    command = ["unshare", "--map-root-user", "--mount", sys.executable, "-c", CODE]
    done = subprocess.run(  # noqa: S603  # ours
        [*command, str(place), str(size), json.dumps(lines)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
        timeout=seconds(60),
    )
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def prepared(folder: Path) -> tuple[list[str], Path, int]:
    """Return a command line, the place of the file system, and the length of the package in bytes."""
    checkpoint, place = write_checkpoint(folder / "c"), folder / "small"
    options = ["--method", "rtn", "--no-program"]
    assert llq("export", checkpoint, folder / "p", *options).exit_code == 0
    place.mkdir()
    length = sum(path.stat().st_size for path in (folder / "p").iterdir())
    return ["export", str(checkpoint), str(place / "p"), *options], place, length


@pytest.mark.parametrize("part", [0.2, 0.7])
def test_a_full_disk_is_one_line_and_leaves_nothing(part: float, tmp_path: Path) -> None:
    line, place, length = prepared(tmp_path)
    ((status, messages, files),) = run(place, int(part * length), line)
    lines = [text for text in messages.splitlines() if text.startswith("llq: ")]
    assert (status, len(lines), files) == (1, 1, []), messages
    assert "Traceback" not in messages
    assert "No space left" in lines[0]
    assert str(place) in lines[0]


def test_a_full_disk_keeps_the_old_package(tmp_path: Path) -> None:
    line, place, length = prepared(tmp_path)
    again = [*line, "--force"]
    first, second, third = run(place, int(1.5 * length), line, again, ["validate", str(place / "p")])
    assert first[0] == 0, first
    assert (second[0], second[2]) == (1, first[2]), second
    assert third[0] == 0, third
