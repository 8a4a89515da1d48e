"""Processes whose files become shorter while they are read: one error, and no end by a signal."""

import subprocess
import sys
from pathlib import Path

import pytest

from llq_format.synth import synth
from tests.llq_format.cli.test_export import write_checkpoint
from tests.support.checkpoint_files import write_bin
from tests.support.repository import ROOT
from tests.support.timeouts import seconds

pytestmark = pytest.mark.slow

CODE = """
import os, sys
reads, read, path, size = int(sys.argv[1]), os.preadv, sys.argv[2], int(sys.argv[3])
def preadv(*arguments):
    global reads
    reads -= 1
    if reads == 0:
        os.truncate(path, size)
    return read(*arguments)
os.preadv = preadv
sys.argv = ["llq", *sys.argv[4:]]
from llq_format.cli import main
main()
"""
"""Runs a command; before a read by position, a file is made shorter."""


def run(file: Path, at: int, size: int, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run a command in a process; before read `at` the file is cut to `size` bytes."""
    command = [sys.executable, "-c", CODE, str(at), str(file), str(size), *map(str, arguments)]
    return subprocess.run(  # noqa: S603  # ours
        command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=seconds(60)
    )


def check(process: "subprocess.CompletedProcess[str]", file: Path) -> None:
    """Check that a process failed with one error that names the file."""
    assert process.returncode == 1, process
    assert "Traceback" not in process.stderr
    assert file.name in process.stdout + process.stderr


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    """Return the shard of a package."""
    synth("tiny", tmp_path / "p", layers=1, seed=1)
    (path,) = (tmp_path / "p").glob("*.llq")
    return path


@pytest.mark.parametrize("size", [0, 100_000])
@pytest.mark.parametrize("command", ["validate", "decode", "run"])
def test_a_shard_that_becomes_shorter_is_an_error(command: str, size: int, shard: Path) -> None:
    package = shard.parent
    arguments: dict[str, list[str | Path]] = {
        "validate": ["validate", package],
        "decode": ["decode", package, "embedding", "--output", package.parent / "out.npy"],
        "run": ["run", package, "--ids", "1,2", "--max-tokens", "1"],
    }
    at = {"validate": 4, "decode": 2, "run": 12}[command]
    check(run(shard, at, size, *arguments[command]), shard)


@pytest.mark.parametrize("form", ["safetensors", "bin"])
def test_weights_that_become_shorter_are_an_error(form: str, tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "c")
    file = checkpoint / "model.safetensors"
    if form == "bin":
        file = checkpoint / "pytorch_model.bin"
        _as_pickle(checkpoint, file)
    target = tmp_path / "p"
    process = run(file, 3, 5000, "export", checkpoint, target, "--method", "rtn", "--no-program")
    check(process, file)
    assert not target.exists()


def _as_pickle(checkpoint: Path, file: Path) -> None:
    """Write the weights of a checkpoint as a pickle, in place of the safetensors file."""
    numpy = pytest.importorskip("safetensors.numpy")
    write_bin(file, numpy.load_file(checkpoint / "model.safetensors"))
    (checkpoint / "model.safetensors").unlink()
