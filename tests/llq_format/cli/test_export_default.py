"""The default method of `llq export`: best, its expected time, the question, and rtn without a tokenizer."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from llq_format.cli import app, export_progress
from llq_format.cli.export_progress import ASKS_ABOVE, duration
from llq_format.exporting.calibration import Calibrated, ExpectedTime
from tests.llq_format.cli.test_export import digest_of
from tests.llq_format.cli.test_export import write_checkpoint as write_without_tokenizer
from tests.support.checkpoint_cases import byte_tokenizer, write_checkpoint
from tests.support.command_line import llq

pytestmark = pytest.mark.slow


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Return a checkpoint with a tokenizer, whose weights are on the INT4 grid."""
    return write_checkpoint(tmp_path / "checkpoint")


def provenance(package: Path) -> dict[str, Any]:
    """Return how a package says that it was made."""
    value: dict[str, Any] = json.loads((package / "metadata.json").read_bytes())["extras"]["provenance"]
    return value


def taking(monkeypatch: pytest.MonkeyPatch, seconds: dict[str, float]) -> None:
    """Let methods take these times, in seconds, as far as the estimate goes."""
    monkeypatch.setattr(ExpectedTime, "seconds", lambda self, method=None: seconds[method or self.method])


LONG = {"rtn": 40.0, "awq": 5400.0, "gptq": 5401.0, "best": ASKS_ABOVE + 1}


def test_best_is_the_default_and_its_time_is_shown_first(checkpoint: Path, tmp_path: Path) -> None:
    result = llq("export", checkpoint, tmp_path / "p", "--json")
    assert result.exit_code == 0, result.stderr
    assert result.stderr.startswith("llq: --method best: expected time ")
    assert json.loads(result.stdout)["warnings"] == []
    assert (provenance(tmp_path / "p")["method"], provenance(tmp_path / "p")["calibration"]) == (
        "best",
        "builtin",
    )
    assert llq("export", checkpoint, tmp_path / "q", "--method", "best").exit_code == 0
    assert digest_of(tmp_path / "p") == digest_of(tmp_path / "q")


@pytest.mark.parametrize(
    ("options", "cause", "remedy"),
    [
        ([], "there is no tokenizer to read a text with", "--tokenizer FILE"),
        (["--no-tokenizer"], "the package has no tokenizer", "remove --no-tokenizer"),
    ],
)
def test_without_a_tokenizer_the_default_is_rtn_with_a_warning(
    tmp_path: Path, options: list[str], cause: str, remedy: str
) -> None:
    checkpoint = write_without_tokenizer(tmp_path / "checkpoint")
    result = llq("export", checkpoint, tmp_path / "p", *options, "--json")
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    assert provenance(tmp_path / "p")["method"] == "rtn"
    found = {warning["id"]: warning for warning in json.loads(result.stdout)["warnings"]}
    assert list(found) == sorted(found)
    assert found["not-calibrated"]["values"]["cause"] == cause
    assert remedy in found["not-calibrated"]["message"]
    loss = found["rounding-loss"]
    percent = loss["values"]["percent"]
    assert 10 < percent < 20
    assert loss["message"] == (
        f"rounding to nearest changes the matrices by {percent} % (root mean square), and the package may "
        "write nonsense: --method best loses far less"
    )


def test_no_tokenizer_of_a_checkpoint_with_one(checkpoint: Path, tmp_path: Path) -> None:
    result = llq("export", checkpoint, tmp_path / "p", "--no-tokenizer", "--json")
    (found,) = json.loads(result.stdout)["warnings"]
    assert found["id"] == "not-calibrated"
    assert found["values"]["cause"] == "the package has no tokenizer"
    assert llq("export", checkpoint, tmp_path / "q", "--no-tokenizer", "--strict").exit_code == 1
    assert not (tmp_path / "q").exists()


def test_a_tokenizer_that_gives_ids_without_a_row_cannot_calibrate(tmp_path: Path) -> None:
    """The token of `the` has an id after the last row; the built-in text contains this word."""
    tokenizer = byte_tokenizer()
    tokenizer.add_tokens([f"unused-{number}" for number in range(60)] + ["the"])
    checkpoint = write_checkpoint(tmp_path / "checkpoint", tokenizer=tokenizer)
    result = llq("export", checkpoint, tmp_path / "p", "--json")
    assert result.exit_code == 0, result.stderr
    found = {warning["id"]: warning["values"] for warning in json.loads(result.stdout)["warnings"]}
    assert found["not-calibrated"]["cause"] == (
        "the tokenizer gives token id 320 for builtin, but the embedding has 304 rows"
    )
    result = llq("export", checkpoint, tmp_path / "q", "--method", "best")
    assert result.exit_code == 1
    assert "the tokenizer gives token id 320 for builtin" in result.stderr


def test_calibration_or_seed_chooses_best(checkpoint: Path, tmp_path: Path) -> None:
    assert llq("export", checkpoint, tmp_path / "p", "--seed", "3").exit_code == 0
    assert (provenance(tmp_path / "p")["method"], provenance(tmp_path / "p")["seed"]) == ("best", 3)
    without = write_without_tokenizer(tmp_path / "without")
    result = llq("export", without, tmp_path / "q", "--calibration", "builtin")
    assert result.exit_code == 1
    assert "a text requires a tokenizer" in result.stderr


def test_a_long_export_names_the_options_and_leaves_nothing(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taking(monkeypatch, LONG)
    result = llq("export", checkpoint, tmp_path / "p", "--json")
    assert result.exit_code == 2
    assert result.stdout == ""
    text = " ".join(result.stderr.replace("│", " ").split())
    assert "the default, best, takes about 15 min on this machine: pass --yes to accept this" in text
    assert "rtn: about 40 s, perplexity of SmolLM2-135M +220 %; awq: about 90 min," in text
    assert "gptq: about 1.5 h, perplexity of SmolLM2-135M +33 %; best: about 15 min," in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint"]


@pytest.mark.parametrize("options", [["--yes"], ["--method", "best"], ["--method", "rtn"]])
def test_consent_and_methods_that_are_named_need_no_answer(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    taking(monkeypatch, LONG)
    assert llq("export", checkpoint, tmp_path / "p", *options).exit_code == 0
    assert provenance(tmp_path / "p")["method"] == ("rtn" if "rtn" in options else "best")


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("n", 2), ("", 2)])
def test_a_terminal_is_asked(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, status: int
) -> None:
    taking(monkeypatch, LONG)
    monkeypatch.setattr(export_progress, "on_terminal", lambda: True)
    command = ["export", str(checkpoint), str(tmp_path / "p")]
    result = CliRunner().invoke(app, command, input=f"{answer}\n")
    assert result.exit_code == status
    assert "\n  rtn   about 40 s, perplexity of SmolLM2-135M +220 %\n" in result.stderr
    assert "Export with best? [y/N]: " in result.output
    assert (tmp_path / "p").exists() == (status == 0)


def test_the_limit_itself_is_not_long(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taking(monkeypatch, {**LONG, "best": ASKS_ABOVE})
    assert llq("export", checkpoint, tmp_path / "p").exit_code == 0


def test_the_same_command_resumes(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal between the two runs keeps the finished layers."""
    rounded: list[int] = []
    layer = Calibrated.layer

    def stopping(self: Calibrated, number: int) -> Any:
        rounded.append(number)
        if rounded == [0, 1]:
            raise KeyboardInterrupt
        return layer(self, number)

    monkeypatch.setattr(Calibrated, "layer", stopping)
    result = llq("export", checkpoint, tmp_path / "p")
    assert result.exit_code == 130
    assert result.stderr.endswith("finished layers are saved; run the same command to resume\n")
    with monkeypatch.context() as context:
        taking(context, LONG)
        assert llq("export", checkpoint, tmp_path / "p").exit_code == 2
    assert llq("export", checkpoint, tmp_path / "p").exit_code == 0
    assert rounded == [0, 1, 1]
    assert not (tmp_path / ".p.layers").exists()


def test_durations() -> None:
    assert [duration(seconds) for seconds in (0.1, 90, 91, 5400, 5401)] == [
        "1 s",
        "90 s",
        "2 min",
        "90 min",
        "1.5 h",
    ]
