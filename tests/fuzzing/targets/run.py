"""Campaigns of one target: reproducible, resumable, with limits of time and memory."""

import faulthandler
import json
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzzing.targets.target import Files, Target

CPU_SECONDS = 1.0
"""Maximum processor time of one refusal, in seconds."""

WALL_SECONDS = 60
"""Time after which an execution hangs, in seconds: the process of templates and tokenizers may take some."""

MEMORY_BYTES = 200 * 2**20
"""Maximum memory of one refusal above the memory before it, in bytes."""


_SAVED_EVERY = 50
"""Number of executions after which a campaign saves where it is: it may be killed."""


class HangError(BaseException):
    """An execution that does not end."""


@dataclass
class Result:
    """What a campaign saw: numbers of outcomes, and failures by their kind with their first input."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: dict[str, Path] = field(default_factory=dict)

    @property
    def executions(self) -> int:
        """The number of inputs."""
        return self.outcomes.total()

    def to_json(self) -> dict[str, Any]:
        """Return the numbers of outcomes, and the inputs of failures."""
        failures = {outcome: str(place) for outcome, place in self.failures.items()}
        return {"executions": self.executions, "outcomes": dict(self.outcomes), "failures": failures}


class TargetCampaign:
    """A campaign in a directory, which keeps where it was and the inputs of failures."""

    def __init__(self, target: Target, directory: Path, seed: int) -> None:
        """Continue the campaign of this seed, or begin it."""
        self.target, self.seed = target, seed
        self.directory = directory / target.name
        self.directory.mkdir(parents=True, exist_ok=True)
        self._state = self.directory / f"seed-{seed}.json"
        self.next = json.loads(self._state.read_text())["next"] if self._state.is_file() else 0

    def run(self, executions: int, progress: Callable[[Result], None] = lambda _result: None) -> Result:
        """Execute further inputs; an interrupt ends the campaign, and the next one continues."""
        result = Result()
        seeds = self.target.seeds()
        signal.signal(signal.SIGALRM, _hang)
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "input"
            try:
                for _ in range(executions):
                    files = self.target.mutant(Random(f"{self.seed} {self.next}"), seeds)  # noqa: S311  # seeded
                    outcome = execute(self.target, files, place)
                    result.outcomes[outcome.split(":")[0]] += 1
                    if outcome.startswith("failure"):
                        self._keep(outcome, files, result)
                    self.next += 1
                    if self.next % _SAVED_EVERY == 0:
                        self._save()
                    progress(result)
            except KeyboardInterrupt:
                pass
        self._save()
        return result

    def _save(self) -> None:
        self._state.write_text(json.dumps({"next": self.next}))

    def _keep(self, outcome: str, files: Files, result: Result) -> None:
        if outcome not in result.failures:
            result.failures[outcome] = self.directory / f"failure-{self.seed}-{self.next}"
            write(files, result.failures[outcome])


def execute(target: Target, files: Files, place: Path) -> str:
    """Read an input, and return `accepted`, `refused`, or a failure with its cause."""
    write(files, place)
    _reset_peak()
    before, start = memory(), time.process_time()
    faulthandler.dump_traceback_later(2 * WALL_SECONDS, exit=True, file=sys.__stderr__ or 2)
    signal.setitimer(signal.ITIMER_REAL, WALL_SECONDS)
    try:
        target.read(place)
    except target.errors as error:
        outcome = "refused" if "\n" not in str(error) else f"failure: a message of several lines: {error}"
    except HangError:
        return "failure: it hangs"
    except Exception as error:  # noqa: BLE001  # every other error is a failure
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return f"failure: {type(error).__name__} in {Path(frame.filename).name}:{frame.lineno}: {error}"[:300]
    else:
        outcome = "accepted"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
    if outcome == "refused" and (seconds := time.process_time() - start) > CPU_SECONDS:
        return f"failure: refused after {seconds:.0f} s"
    if outcome == "refused" and (more := peak() - before) > MEMORY_BYTES:
        return f"failure: refused with {more >> 20} MiB"
    return outcome


def write(files: Files, directory: Path) -> None:
    """Write the files of an input in place of those that are there."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    for name, data in files.items():
        path = directory / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)


def memory() -> int:
    """Return the memory of this process, in bytes; 0 where the system does not state it."""
    return _status("VmRSS")


def peak() -> int:
    """Return the maximum memory of this process since `_reset_peak`, in bytes."""
    return _status("VmHWM")


def _status(name: str) -> int:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(f"{name}:"))


def _reset_peak() -> None:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _hang(_signal: int, _frame: Any) -> None:
    raise HangError
