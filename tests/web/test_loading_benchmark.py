"""The benchmark of loading: Chromium loads a package twice and answers, and the times are printed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from llq_format.synth import synth
from tests.support.repository import ROOT
from tests.support.timeouts import seconds

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_package_is_loaded_twice_and_answers(tmp_path: Path) -> None:
    package, reports = tmp_path / "package", tmp_path / "reports.json"
    synth("tiny", package)
    arguments = ["browser", str(package), "--software", "--tokens", "1", "--json", str(reports)]
    command = [sys.executable, "-m", "benchmarks.loading", *arguments]
    result = subprocess.run(  # noqa: S603  # our own script
        command, capture_output=True, text=True, timeout=seconds(120), cwd=ROOT, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    events = [(report["event"], report.get("round")) for report in json.loads(reports.read_text())]
    rounds = [(event, name) for name in ("fresh", "cached") for event in ("start", "ready", "loaded")]
    assert events == [*rounds, ("end", None)]
