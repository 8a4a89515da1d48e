"""A clock for the suite that passes the time limit of an answer when the adapter hangs, and not before.

Without it, tests of time-outs would need a limit that is both long for a busy machine and short to wait for.
An adapter reports with `HANG` that it answers no more. `-p tests.support.hang_clock` sets the clock in a run
of the suite.
"""

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from conformance.runtimes import process

VARIABLE = "LLQ_TEST_HANGS"
"""The environment variable that names the file to which adapters report."""

HANG = f"import os, time; open(os.environ['{VARIABLE}'], 'a').write('.'); time.sleep(3600)"
"""The statements with which an adapter in Python reports that it hangs, and hangs."""

JUMP = 1e6
"""Seconds by which the clock moves on with each report: more than any time limit."""


def environment(directory: Path) -> dict[str, str]:
    """Return the variables of a run whose adapters report to a file in a directory."""
    file = directory / "hangs"
    file.touch()
    return {VARIABLE: str(file)}


def hang_clock(file: Path) -> SimpleNamespace:
    """Return what replaces the module `time` where the suite waits for an answer."""
    return SimpleNamespace(monotonic=lambda: time.monotonic() + JUMP * file.stat().st_size)


def set_in_this_process(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """Set the clock for one test."""
    for name, value in environment(directory).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(process, "time", hang_clock(Path(os.environ[VARIABLE])))


def pytest_configure() -> None:
    """Set the clock for a run of the suite."""
    pytest.MonkeyPatch().setattr(process, "time", hang_clock(Path(os.environ[VARIABLE])))
