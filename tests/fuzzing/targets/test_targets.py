"""Each target accepts its seeds, fails on none of some mutants, and finds planted faults."""

import logging
import time
from pathlib import Path
from random import Random

import pytest

from llq_format.sandbox import process
from tests.fuzzing.__main__ import main
from tests.fuzzing.targets import run
from tests.fuzzing.targets.all_targets import TARGETS
from tests.fuzzing.targets.run import TargetCampaign, execute
from tests.fuzzing.targets.target import Files, Target
from tests.support.timeouts import seconds

pytestmark = pytest.mark.slow

EXECUTIONS = 25


@pytest.fixture(autouse=True)
def _quiet_and_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "CPU_SECONDS", 0.5)
    monkeypatch.setattr(run, "CPU_SECONDS", seconds(1))  # campaigns measure; a busy machine fails no test
    monkeypatch.setattr(logging.getLogger("llq_format"), "disabled", True)


def seeds(target: Target) -> list[Files]:
    """Return the inputs that a target changes."""
    if target.name == "bin":
        pytest.importorskip("torch")
    return target.seeds()


@pytest.mark.parametrize("name", [name for name in TARGETS if TARGETS[name].mutate is None])
def test_a_target_accepts_its_seeds(name: str, tmp_path: Path) -> None:
    target = TARGETS[name]
    assert {execute(target, files, tmp_path / "input") for files in seeds(target)} == {"accepted"}


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_fails_on_none_of_some_mutants(name: str, tmp_path: Path) -> None:
    seeds(TARGETS[name])
    result = TargetCampaign(TARGETS[name], tmp_path, 1).run(EXECUTIONS)
    assert result.failures == {}
    assert result.executions == EXECUTIONS


def test_a_campaign_continues(tmp_path: Path) -> None:
    target = TARGETS["layers"]
    TargetCampaign(target, tmp_path, 1).run(3)
    campaign = TargetCampaign(target, tmp_path, 1)
    assert campaign.next == 3
    files = target.seeds()
    assert target.mutant(Random("1 0"), files) == target.mutant(Random("1 0"), files)  # noqa: S311  # seeded


def planted(kind: str) -> Target:
    """Return a target with a fault."""

    def read(directory: Path) -> None:
        if kind == "class":
            raise KeyError(directory)
        if kind == "lines":
            raise ValueError("a\nb")
        if kind == "time":
            end = time.process_time() + 1.2
            while time.process_time() < end:
                pass
        if kind == "memory":
            bytearray(300 * 2**20).count(1)
        raise ValueError("refused")

    return Target("planted", lambda: [{"a": b"a"}], read, (ValueError,), {"a": None})


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("class", "failure: KeyError"),
        ("lines", "failure: a message of several lines"),
        ("time", "failure: refused after 1 s"),
        ("memory", "failure: refused with"),
        ("none", "refused"),
    ],
)
def test_planted_faults_are_found(
    kind: str, outcome: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "CPU_SECONDS", 1.0)
    assert execute(planted(kind), {"a": b"a"}, tmp_path / "input").startswith(outcome)


def test_the_command_prints_what_a_target_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--target", "layers", "--executions", "2", "--seed", "5", "--directory", str(tmp_path)]
    assert main(arguments) == 0
    assert capsys.readouterr().out == "layers: 2 accepted; 2 in all runs of seed 5\n"
