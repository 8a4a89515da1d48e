"""Faults at each file-system call of the commands that write, and what must hold after each."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llq_format.synth import synth
from tests.support.repository import ROOT
from tests.support.tampering import contents

SOURCE = Path(__file__).with_name("shim.c")

KINDS = {
    "kill": 0,
    "EIO": errno.EIO,
    "ENOSPC": errno.ENOSPC,
    "EINTR": errno.EINTR,
    "SIGINT": -signal.SIGINT,
    "SIGTERM": -signal.SIGTERM,
    "SIGHUP": -signal.SIGHUP,
}
RETRIED = {"open", "write", "fsync", "ftruncate"}
"""Calls that Python repeats after EINTR; the system interrupts no other one of those that are counted."""

Answer = dict[str, Any]


@dataclass(frozen=True)
class Command:
    """A command that writes a package: its arguments, and whether an older package is at its target."""

    name: str
    arguments: tuple[str, ...]
    old: bool


@dataclass(frozen=True)
class Fault:
    """A fault at one call of a command, counted from 1."""

    command: Command
    at: int
    kind: str
    call: str


def compiler() -> str | None:
    """Return the compiler of the system, if there is one that can build the library."""
    return shutil.which("cc") or shutil.which("gcc") if sys.platform == "linux" else None


_PROGRESS = re.compile(r"llq: (?:.*: expected time .*|(?:working|.* of .* \(\d+ %\)), [\d,]+ s)")
"""Lines about time: what an export is expected to need, and progress on an output that is not a terminal."""


def messages(text: str) -> list[str]:
    """Return the lines of `llq` in a text, except those about time."""
    return [line for line in text.splitlines() if line.startswith("llq: ") and not _PROGRESS.fullmatch(line)]


class Injector:
    """A worker process under the library of faults, and a folder in which the commands write."""

    def __init__(self, folder: Path, checkpoint: Path, ids: Path) -> None:
        """Build the library and the packages before each command."""
        self.root = folder / "root"
        self.target = self.root / "p"
        self._old = folder / "old"
        synth("tiny", self._old, layers=1, seed=1)
        calibrated = ["--calibration", str(ids), "--no-program"]
        lines = {
            "synth": ["synth", "tiny", str(self.target), "--layers", "1", "--seed", "2", "--force"],
            "program": ["program", str(self.target), "--chunk", "64"],
        }
        for method in ("rtn", "awq", "gptq", "best"):
            options = ["--no-program"] if method == "rtn" else calibrated
            line = ["export", str(checkpoint), str(self.target), "--force", "--method", method, *options]
            lines[f"export {method}"] = line
        self.commands = [
            Command(name, tuple(line), old)
            for name, line in lines.items()
            for old in ((True,) if name == "program" else (False, True))
        ]
        self._library = folder / "faults.so"
        build = [str(compiler()), "-shared", "-fPIC", "-O1", "-o", str(self._library), str(SOURCE), "-ldl"]
        subprocess.run(build, check=True, capture_output=True)  # noqa: S603  # our own source
        environment = {**os.environ, "LD_PRELOAD": str(self._library), "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "tests.support.faults.worker"]
        streams: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._worker = subprocess.Popen(command, cwd=ROOT, env=environment, **streams)  # noqa: S603  # ours
        self._new: dict[str, dict[str, bytes]] = {}
        self.calls: dict[Command, list[str]] = {}

    def close(self) -> None:
        """End the worker."""
        self._worker.communicate()

    def run(self, command: Command, at: int = 0, kind: int = 0, **more: Any) -> Answer:
        """Run a command in the folder as it is; call number `at` is disturbed."""
        assert self._worker.stdin is not None  # noqa: S101  # a pipe
        assert self._worker.stdout is not None  # noqa: S101  # a pipe
        request = {"arguments": command.arguments, "root": str(self.root), "at": at, "kind": kind, **more}
        self._worker.stdin.write(json.dumps(request) + "\n")
        self._worker.stdin.flush()
        answer: Answer = json.loads(self._worker.stdout.readline())
        return answer

    def reset(self, command: Command) -> None:
        """Bring the folder into the state before a command."""
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir()
        if command.old:
            shutil.copytree(self._old, self.target)

    def faults(self, kinds: Iterable[str] | None = None) -> list[Fault]:
        """Return every fault of every command, after a run of each command without faults."""
        faults: list[Fault] = []
        for command in self.commands:
            self.reset(command)
            answer = self.run(command)
            if answer["status"] != 0 or self.entries() != ["p"]:
                raise AssertionError(answer)
            self._new[command.name] = contents(self.target)
            self.calls[command] = answer["calls"]
            faults += [
                Fault(command, number, kind, call)
                for number, call in enumerate(answer["calls"], 1)
                for kind in (KINDS if kinds is None else kinds)
                if kind != "EINTR" or call in RETRIED
            ]
        return faults

    def entries(self) -> list[str]:
        """Return the names in the folder."""
        return sorted(path.name for path in self.root.iterdir())

    def state(self, command: Command) -> str:
        """Return `absent`, `old` or `new` for the target, or what is wrong with it."""
        if not os.path.lexists(self.target):
            return "absent"
        found = contents(self.target)
        if found == self._new[command.name]:
            return "new"
        return "old" if found == contents(self._old) else f"neither: {sorted(found)}"

    def inject(self, fault: Fault) -> list[str]:
        """Return what is wrong after a fault, and after the next run."""
        command = fault.command
        self.reset(command)
        answer = self.run(command, fault.at, KINDS[fault.kind])
        problems = self._after(fault, answer)
        again = self.run(command)
        if again["status"] != 0:
            problems.append(f"the next run failed: {again['stderr']}")
        if self.state(command) != "new":
            problems.append(f"after the next run the target is {self.state(command)}")
        if self.entries() != ["p"]:
            problems.append(f"after the next run: {self.entries()}")
        return problems

    def _after(self, fault: Fault, answer: Answer) -> list[str]:
        """Return what is wrong directly after a fault."""
        state, status, text = self.state(fault.command), answer["status"], answer["stderr"]
        problems = []
        if state not in (("old", "new") if fault.command.old else ("absent", "new")):
            problems.append(f"the target is {state}")
        if fault.kind == "kill":
            return problems if status == -signal.SIGKILL else [*problems, f"status {status}, not killed"]
        lines = [line for line in messages(text) if "note:" not in line]
        left = set(self.entries()) - {"p"}
        signalled, failed = fault.kind.startswith("SIG"), status == 1
        if signalled and "export" in fault.command.name:
            left.discard(".p.layers")  # finished layers are kept after an interrupt
        removing = fault.call in ("unlink", "unlinkat", "rmdir")
        wrong = {
            f"messages: {text}": "Traceback" in text or len(lines) > 1 or (failed and len(lines) != 1),
            "success without the new package": status == 0 and state != "new",
            f"EINTR is not repeated: {text}": fault.kind == "EINTR" and status != 0,
            f"the message names no file: {text}": failed and str(self.root) not in text,
            "failed, and left the new package": failed and state == "new",
            f"status {status}: {text}": status not in (0, 1, 128 + (-KINDS[fault.kind] if signalled else 0)),
            f"left: {sorted(left)}": bool(left) and not removing,
        }
        return problems + [problem for problem, holds in wrong.items() if holds]


@contextmanager
def injector(folder: Path, checkpoint: Path, ids: Path) -> Iterator[Injector]:
    """Provide an injector, whose process ends with the block."""
    made = Injector(folder, checkpoint, ids)
    try:
        yield made
    finally:
        made.close()
