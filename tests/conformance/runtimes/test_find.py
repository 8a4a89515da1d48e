"""`--runtime=NAME`: runtimes that an installed distribution offers; and how many processes a run starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.core.runtime import BrokenAdapter
from conformance.runtimes import find
from conformance.runtimes.find import UnknownRuntimeError
from tests.support.repository import ROOT
from tests.support.suite_process import run_suite

pytestmark = pytest.mark.slow

MODULE = """
from examples.python.miniatures import Right

def refuse(): raise OSError("no GPU")
"""
ENTRY_POINTS = """
[llq.runtimes]
mine = mine_runtime:Right
without-gpu = mine_runtime:refuse
lost = mine_runtime:Nobody
reference = mine_runtime:refuse
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Install a distribution that offers runtimes, in a directory of its own."""
    metadata = tmp_path / "mine_runtime-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: mine-runtime\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    (tmp_path / "mine_runtime.py").write_text(MODULE)
    return tmp_path


def suite(*arguments: str, path: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Run the suite on the simplest vector, with a directory on Python's path."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(path or ""), str(ROOT)]))}
    return run_suite(*arguments, env=environment)


def test_an_installed_runtime_is_found_by_name(site: Path) -> None:
    for workers in ("0", "2"):
        process = suite("--runtime=mine", "-k", "worked-example", "-n", workers, path=site)
        assert process.returncode == 0, process.stdout + process.stderr
        assert "--runtime=mine" in process.stdout


def test_an_unknown_name_is_reported_with_the_installed_names(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        UnknownRuntimeError,
        match=r"--runtime=mein is not one of: .*; the entry point group llq.runtimes is empty",
    ):
        find.find("mein", 1)
    monkeypatch.syspath_prepend(site)
    message = (
        r"^--runtime=mein is not one of: .*; names in the entry point group .*: lost, mine, without-gpu$"
    )
    with pytest.raises(UnknownRuntimeError, match=message):
        find.find("mein", 1)


def test_an_entry_point_that_cannot_be_loaded_is_a_broken_adapter(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(site)
    message = "the adapter is broken: the entry point without-gpu cannot be loaded: OSError: no GPU"
    with pytest.raises(BrokenAdapter, match=message):
        find.find("without-gpu", 1)
    with pytest.raises(BrokenAdapter, match="the entry point lost cannot be loaded: AttributeError"):
        find.find("lost", 1)


def test_an_entry_point_does_not_hide_the_reference(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(site)
    assert find.find("reference", 1).info.name == "llq-format"


def test_an_invalid_command_line_is_reported() -> None:
    with pytest.raises(UnknownRuntimeError, match="is not a valid command line: No closing quotation"):
        find.find("cmd:node 'adapter.mjs", 1)


@pytest.mark.parametrize(("workers", "most"), [(0, 1), (2, 3)])
def test_a_process_is_started_once_for_each_worker(tmp_path: Path, workers: int, most: int) -> None:
    """Without workers the smoke test's process goes on; with workers it ends, and each has one."""
    started = tmp_path / "started"
    adapter = tmp_path / "adapter.py"
    text = (ROOT / "examples" / "python" / "minimal_adapter.py").read_text("utf-8")
    note = f'import os; open({str(started)!r}, "a").write(f"{{os.getpid()}}\\n")\n'
    adapter.write_text(text.replace("import json\n", f"import json\n{note}", 1))
    process = suite(f"--runtime=cmd:{sys.executable} {adapter}", "-k", "decode or accept", "-n", str(workers))
    assert process.returncode == 0, process.stdout + process.stderr
    assert len(started.read_text().split()) == most
