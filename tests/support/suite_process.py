"""The suite in a process of its own: `pytest conformance` as implementers run it."""

import subprocess
import sys
from pathlib import Path

from tests.support.repository import ROOT
from tests.support.timeouts import seconds

COMMAND = (sys.executable, "-m", "pytest", "conformance", "-p", "no:cacheprovider")


def run_suite(
    *arguments: str, cwd: Path = ROOT, env: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run the suite; an adapter on a busy machine has time to answer, unless the arguments set a limit."""
    return subprocess.run(  # noqa: S603  # our own suite
        [*COMMAND, f"--answer-timeout={seconds(30):g}", *arguments],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=seconds(600),
        check=False,
    )
