"""Progress of long commands on an output that is not a terminal: a line now and then on standard error."""

import re
import sys
from io import StringIO
from pathlib import Path

import pytest

from llq_format.cli import terminal
from llq_format.cli.terminal import ProgressBar
from tests.llq_format.cli.test_export import write_checkpoint
from tests.support.command_line import run
from tests.support.timeouts import wait_until

_OFTEN = """
import sys, time
from llq_format.cli import terminal
terminal.PERIOD = 0.01
slow = terminal.ProgressBar.advance
def advance(bar, count):
    time.sleep(0.2)
    slow(bar, count)
terminal.ProgressBar.advance = advance
sys.argv[0] = "llq"
from llq_format.cli import main
main()
"""


def test_a_line_comes_every_ten_seconds() -> None:
    assert terminal.PERIOD == 10


@pytest.mark.parametrize(
    ("unit", "line"),
    [
        ("bytes", "model: 1.0 of 4.0 MB (25 %), 0 s"),
        ("layers", "model: step 1,000,000 of 4,000,000 (25 %), 0 s"),
    ],
)
def test_a_line_says_how_far_the_work_is(unit: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(terminal, "PERIOD", 0.001)
    with ProgressBar("bytes" if unit == "bytes" else "layers") as bar:
        wait_until(lambda: "llq: working, 0 s\n" in stream.getvalue())
        bar.start(4_000_000, "model")
        bar.advance(1_000_000)
        wait_until(lambda: f"llq: {line}\n" in stream.getvalue())
    length = len(stream.getvalue())
    assert length == len(stream.getvalue())
    assert "\x1b" not in stream.getvalue()


def test_short_work_prints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with ProgressBar() as bar:
        bar.start(10, "model")
        bar.advance(10)
    assert stream.getvalue() == ""


def test_a_closed_standard_error_stops_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(terminal, "PERIOD", 0.001)
    with ProgressBar() as bar:
        stream.close()
        bar.start(10, "model")
        bar.advance(10)


@pytest.mark.slow
def test_export_validate_and_eval_report_progress_in_a_pipe(tmp_path: Path) -> None:
    import numpy as np  # noqa: PLC0415  # for one file

    checkpoint = write_checkpoint(tmp_path / "checkpoint", hidden=128, layers=1, vocab=160)
    np.save(tmp_path / "ids.npy", np.arange(64) % 160)
    script = tmp_path / "often.py"
    script.write_text(_OFTEN)
    package = tmp_path / "package"
    commands: dict[tuple[str | Path, ...], str] = {
        ("export", checkpoint, package): r"llq: \w+: [\d.]+ of [\d.]+ MB \(\d+ %\), \d+ s",
        ("validate", package): r"llq: \w+: [\d.]+ of [\d.]+ MB \(\d+ %\), \d+ s",
        ("eval", package, "--against", checkpoint, "--text", tmp_path / "ids.npy"): (
            r"llq: package: step \d of \d \(\d+ %\), \d+ s"
        ),
    }
    for arguments, pattern in commands.items():
        status, out, err = run(*arguments, entry=(script,))
        assert status == 0, err
        assert re.search(pattern, err), err
        assert "llq:" not in out
