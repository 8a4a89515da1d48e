"""The work directory of a target: one writer at a time, and a replacement that a later command finishes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import llq_format
from llq_format import PackageWriter, TensorPlan, save
from llq_format.files import lock as lock_module
from llq_format.files import work_directory
from llq_format.files.exchange import exchange
from llq_format.files.work_directory import WorkDirectory
from tests.support import tampering
from tests.support.command_line import llq, start
from tests.support.timeouts import seconds, wait_until

OLD, NEW = np.ones(3, np.float32), np.full(3, 2, np.float32)
KILLED = """
import os, signal, sys
import numpy as np
from llq_format import save
from llq_format.files import work_directory
work_directory.exchange = lambda first, second: False
rename, count = os.rename, [0]
def counted(source, target):
    count[0] += 1
    if count[0] > int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target)
os.rename = counted
save(sys.argv[1], {"w": np.full(3, 2, np.float32)}, overwrite=True)
"""
"""A writer on a system that cannot exchange names, which is killed before one of its renames."""


def names(folder: Path) -> list[str]:
    """Return the names in a folder."""
    return sorted(path.name for path in folder.iterdir())


def killed_writer(target: Path, renames: int) -> None:
    """Replace a package in a process that is killed after a number of renames."""
    command = [sys.executable, "-c", KILLED, str(target), str(renames)]
    assert subprocess.run(command, timeout=seconds(60), check=False).returncode == -signal.SIGKILL  # noqa: S603


def test_two_directories_exchange_their_names(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    assert exchange(tmp_path / "a", tmp_path / "b")
    assert (names(tmp_path / "a"), names(tmp_path / "b")) == (["b"], ["a"])
    with pytest.raises(FileNotFoundError, match="absent"):
        exchange(tmp_path / "a", tmp_path / "absent")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["validate", "inspect", "program", "decode", "open"])
def test_any_command_finishes_a_replacement_and_reports_it(
    tmp_path: Path, command: str, caplog: pytest.LogCaptureFixture
) -> None:
    target = tmp_path / "p"
    save(target, {"w": OLD})
    killed_writer(target, 1)
    assert names(tmp_path) == [".p.partial"]
    if command == "open":
        llq_format.open(target).close()
    else:
        more: list[str | Path] = ["w", "-o", tmp_path / "w.npy"] if command == "decode" else []
        llq(command, target, *more)
    assert f"{target}: finished the replacement" in caplog.text
    with llq_format.open(target) as package:
        np.testing.assert_array_equal(package.get_tensor("w"), NEW)
    save(target, {"w": NEW}, overwrite=True)
    assert names(tmp_path) == ["p", "w.npy"] if command == "decode" else ["p"]


def test_an_earlier_package_without_a_complete_new_one_is_put_back(tmp_path: Path) -> None:
    target = tmp_path / "p"
    save(target, {"w": OLD})
    before = tampering.contents(target)
    (tmp_path / ".p.partial").mkdir()
    target.rename(tmp_path / ".p.partial" / "old")
    work_directory.recover(target)
    assert tampering.contents(target) == before


@pytest.mark.slow
def test_leftovers_of_a_killed_writer_are_removed_by_the_next(tmp_path: Path) -> None:
    target = tmp_path / "p"
    save(target, {"w": OLD})
    killed_writer(target, 0)
    assert names(tmp_path) == [".p.partial", "p"]
    with llq_format.open(target) as package:
        np.testing.assert_array_equal(package.get_tensor("w"), OLD)
    save(target, {"w": NEW}, overwrite=True)
    assert names(tmp_path) == ["p"]


def test_systems_that_cannot_exchange_names_rename_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "p", {"w": OLD})
    monkeypatch.setattr(work_directory, "exchange", lambda _first, _second: False)
    save(tmp_path / "p", {"w": NEW}, overwrite=True)
    with llq_format.open(tmp_path / "p") as package:
        np.testing.assert_array_equal(package.get_tensor("w"), NEW)
    assert names(tmp_path) == ["p"]


@pytest.mark.parametrize("flock", [True, False])
def test_a_second_writer_is_refused_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, flock: bool
) -> None:
    if not flock:
        monkeypatch.setattr(lock_module, "fcntl", None)
    holder = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)  # ours
    with PackageWriter(tmp_path / "p", [TensorPlan("w", "f32", (3,))]) as writer:
        writer.add("w", OLD)
        if not flock:  # the file names another process, which lives
            text = (tmp_path / ".p.partial" / "lock").read_text()
            (tmp_path / ".p.partial" / "lock").write_text(text.replace(f"{os.getpid()} ", f"{holder.pid} "))
        with pytest.raises(BlockingIOError, match=r"p is being written by another process \(\d+\)"):
            save(tmp_path / "p", {"w": NEW})
        writer.finish()
    holder.communicate()
    with llq_format.open(tmp_path / "p") as package:
        np.testing.assert_array_equal(package.get_tensor("w"), OLD)
    assert names(tmp_path) == ["p"]


def test_without_flock_a_lock_of_a_dead_process_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "p", {"w": OLD})
    with WorkDirectory(tmp_path / "p"):
        text = (tmp_path / ".p.partial" / "lock").read_text()
    process = subprocess.Popen([sys.executable, "-c", ""])  # ours
    process.wait(seconds(60))
    (tmp_path / ".p.partial").mkdir()
    (tmp_path / ".p.partial" / "lock").write_text(text.replace(f"{os.getpid()} ", f"{process.pid} "))
    monkeypatch.setattr(lock_module, "fcntl", None)
    save(tmp_path / "p", {"w": NEW}, overwrite=True)
    assert names(tmp_path) == ["p"]


@pytest.mark.slow
def test_of_two_exports_to_one_target_the_second_refuses(tmp_path: Path) -> None:
    target = tmp_path / "p"
    with start("synth", "llama-2-7b", target) as first:
        wait_until((tmp_path / ".p.partial" / "new").is_dir)
        first.send_signal(signal.SIGSTOP)  # it must not end before the second
        result = llq("synth", "tiny", target)
        first.send_signal(signal.SIGHUP)
        first.send_signal(signal.SIGCONT)
        first.communicate(timeout=seconds(60))
    assert first.returncode == 128 + signal.SIGHUP
    assert result.exit_code == 1
    expected = f"llq: tiny: {target} is being written by another process ({first.pid}): wait until it ends\n"
    assert result.stderr == expected
    assert names(tmp_path) == []


def test_an_empty_directory_is_replaced_with_force_alone(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    assert "use --force" in llq("synth", "tiny", tmp_path / "p").stderr
    assert llq("synth", "tiny", tmp_path / "p", "--force").exit_code == 0
    assert tampering.rules(tmp_path / "p") == []
    assert names(tmp_path) == ["p"]


def test_a_file_at_the_name_of_the_work_directory_is_kept(tmp_path: Path) -> None:
    (tmp_path / ".p.partial").write_text("x")
    with pytest.raises(FileExistsError, match=r"\.p\.partial is not a directory"):
        save(tmp_path / "p", {"w": OLD})
    assert (tmp_path / ".p.partial").read_text() == "x"
