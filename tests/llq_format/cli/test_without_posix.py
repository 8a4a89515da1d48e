"""Windows: commands that read packages work without the names of POSIX; those that write refuse."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import llq_format
from llq_format.files import posix_only
from llq_format.synth import synth
from llq_format.validation.package_files import PackageFile
from tests.support.command_line import llq, tiny
from tests.support.repository import ROOT

_WITHOUT_POSIX = """
import mmap, os, pathlib, shutil, signal, socket, subprocess, sys, tempfile, threading
import jsonschema, numpy, rich.console

OS = "O_NOFOLLOW O_NONBLOCK O_CLOEXEC O_DIRECTORY O_SYNC pread preadv pwrite pwritev fork forkpty fchmod "
OS += "fchown "
OS += "chown getuid geteuid getgid getegid getpgid setpgid setsid killpg mkfifo mknod nice sysconf statvfs "
OS += "sched_getaffinity sched_setaffinity sync posix_fadvise posix_fallocate umask"
SIGNAL = "SIGHUP SIGKILL SIGALRM SIGUSR1 SIGUSR2 SIGPIPE SIGBUS SIGSTOP setitimer getitimer alarm "
SIGNAL += "pthread_sigmask"
MMAP = "PROT_READ PROT_WRITE MAP_PRIVATE MAP_SHARED MADV_SEQUENTIAL MADV_DONTNEED"
for module, names in ((os, OS), (signal, SIGNAL), (mmap, MMAP)):
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
for name in ("fcntl", "termios", "tty", "pty", "resource", "grp", "pwd", "syslog"):
    sys.modules[name] = None
sys.argv[0] = "llq"
from llq_format.cli import main
main()
"""


def without_posix(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run a command line in an interpreter that lacks what Windows lacks."""
    command = [sys.executable, "-c", _WITHOUT_POSIX, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)  # noqa: S603  # ours


@pytest.mark.slow
def test_commands_that_read_work_without_the_names_of_posix(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    for arguments in (
        ["validate", package],
        ["inspect", package],
        ["decode", package, "norm", "-o", tmp_path / "norm.npy"],
        ["dump", package, "-t", "norm"],
        ["explain", "part-4"],
        ["layout"],
        ["diff", package, package],
        ["run", package, "--ids", "1,2,3", "--max-tokens", "3"],
        ["synth", "--list"],
    ):
        here, there = (
            llq(*arguments, *(["--force"] if "-o" in arguments else [])),
            without_posix(*arguments, *(["--force"] if "-o" in arguments else [])),
        )
        assert there.returncode == 0, there.stderr
        assert there.stdout == here.stdout


@pytest.mark.slow
def test_commands_that_write_refuse_on_windows_with_one_sentence(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    script = _WITHOUT_POSIX.replace(
        'sys.argv[0] = "llq"',
        'import llq_format.files.posix_only as p; p.SYSTEM = "nt"; sys.argv[0] = "llq"',
    )
    for arguments in (["synth", "tiny", tmp_path / "new"], ["program", package]):
        command = [sys.executable, "-c", script, *map(str, arguments)]
        process = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)  # noqa: S603  # ours
        assert process.returncode == 1
        assert process.stderr.count("\n") == 1
        assert (
            "Windows cannot write packages: use Linux, macOS or the Windows Subsystem for Linux"
            in process.stderr
        )
    assert not (tmp_path / "new").exists()


def test_writing_is_refused_on_windows_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert os.name == posix_only.SYSTEM
    monkeypatch.setattr(posix_only, "SYSTEM", "nt")
    with pytest.raises(ValueError, match="Windows cannot write packages"):
        synth("tiny", tmp_path / "p")
    with pytest.raises(ValueError, match="Windows cannot write packages"):
        llq_format.save(tmp_path / "p", {})


def test_a_link_is_refused_without_the_flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from llq_format.validation import package_files  # noqa: PLC0415  # the module, not its names

    (tmp_path / "file").write_bytes(bytes(range(100)))
    (tmp_path / "link").symlink_to(tmp_path / "file")
    monkeypatch.setattr(package_files, "_NO_FOLLOW", 0)
    monkeypatch.setattr(package_files, "_PREADV", None)
    with pytest.raises(OSError, match="link is a symbolic link, not a regular file"):
        PackageFile(tmp_path / "link")
    with PackageFile(tmp_path / "file") as file:
        assert file.read(7, 20) == bytes(range(7, 27))
        assert file.read(0, 5) == bytes(range(5))
        with pytest.raises(llq_format.LLQError, match="LLQ-PKG-8"):
            file.read(90, 20)
