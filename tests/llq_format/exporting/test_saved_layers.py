"""Saved layers of an interrupted export are used only if they are what this export would have saved."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llq_format.exporting.calibration import Calibrated, saved_layers
from llq_format.exporting.checkpoint.checkpoint import CheckpointError
from llq_format.exporting.export import export
from tests.llq_format.cli.test_export import digest_of, write_checkpoint
from tests.support.command_line import llq

pytestmark = pytest.mark.slow


def _arrays(path: Path) -> dict[str, Any]:
    with np.load(path) as file:
        return dict(file)


def _edited(path: Path, change: Any) -> None:
    arrays = _arrays(path)
    name = next(name for name in arrays if name.endswith(("packed", "streams")))
    arrays[name] = change(arrays[name])
    np.savez(path, **arrays)


def _flip(array: Any) -> Any:
    array = array.copy()
    array.flat[0] = array.flat[0] + 1
    return array


DAMAGES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "layer edited": ("layer-00000.npz", lambda path: _edited(path, _flip)),
    "layer of another shape": ("layer-00000.npz", lambda path: _edited(path, lambda a: a[:-1])),
    "streams edited": ("streams-00001.npz", lambda path: _edited(path, _flip)),
    "layer truncated": ("layer-00000.npz", lambda path: path.write_bytes(path.read_bytes()[:-100])),
    "streams empty": ("streams-00001.npz", lambda path: path.write_bytes(b"")),
    "layer missing": ("layer-00000.npz", lambda path: path.unlink()),
    "noise": ("layer-00000.npz", lambda path: path.write_bytes(bytes(range(256)) * 9)),
    "name": ("streams-00001.npz", lambda path: path.rename(path.with_name("streams-x.npz"))),
    "number": ("streams-00001.npz", lambda path: path.rename(path.with_name("streams-00002.npz"))),
    "key": ("export.json", lambda path: path.write_bytes(b"\xff{")),
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str]:
    """Return a checkpoint of two layers, token ids, and the digest of an export without interruption."""
    folder = tmp_path_factory.mktemp("inputs")
    checkpoint = write_checkpoint(folder / "checkpoint", layers=2)
    np.save(folder / "ids.npy", np.random.default_rng(3).integers(0, 64, 64))
    export(checkpoint, folder / "whole", method="gptq", calibrate=folder / "ids.npy", program=None)
    return checkpoint, folder / "ids.npy", digest_of(folder / "whole")


def stop(monkeypatch: pytest.MonkeyPatch, inputs: tuple[Path, Path, str], target: Path) -> None:
    """Interrupt an export after its first layer."""
    layer = Calibrated.layer

    def stopping(self: Calibrated, number: int) -> Any:
        if number == 1:
            raise KeyboardInterrupt
        return layer(self, number)

    with monkeypatch.context() as context:
        context.setattr(Calibrated, "layer", stopping)
        with pytest.raises(KeyboardInterrupt):
            export(inputs[0], target, method="gptq", calibrate=inputs[1], program=None)


def rounded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Record the numbers of the layers that are rounded."""
    numbers: list[int] = []
    layer = Calibrated.layer

    def recording(self: Calibrated, number: int) -> Any:
        numbers.append(number)
        return layer(self, number)

    monkeypatch.setattr(Calibrated, "layer", recording)
    return numbers


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_layers_are_rounded_again_with_a_note(
    damage: str,
    inputs: tuple[Path, Path, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stop(monkeypatch, inputs, tmp_path / "p")
    name, spoil = DAMAGES[damage]
    spoil(tmp_path / ".p.layers" / name)
    numbers = rounded(monkeypatch)
    options: list[str | Path] = ["--method", "gptq", "--calibration", inputs[1], "--no-program"]
    result = llq("export", inputs[0], tmp_path / "p", *options)
    assert result.exit_code == 0, result.stderr
    assert numbers == [0, 1]
    assert caplog.text.count("all layers are rounded again") == 1
    assert digest_of(tmp_path / "p") == inputs[2]
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


@pytest.mark.parametrize("part", ["code", "numpy", "llq-format"])
def test_layers_of_another_version_are_rounded_again(
    part: str,
    inputs: tuple[Path, Path, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    versions = saved_layers.software()
    stop(monkeypatch, inputs, tmp_path / "p")
    monkeypatch.setattr(saved_layers, "software", lambda: {**versions, part: "another"})
    numbers = rounded(monkeypatch)
    export(inputs[0], tmp_path / "p", method="gptq", calibrate=inputs[1], program=None)
    assert numbers == [0, 1]
    assert "another version of the software" in caplog.text
    assert digest_of(tmp_path / "p") == inputs[2]


def test_sound_layers_are_used_without_a_note(
    inputs: tuple[Path, Path, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stop(monkeypatch, inputs, tmp_path / "p")
    numbers = rounded(monkeypatch)
    export(inputs[0], tmp_path / "p", method="gptq", calibrate=inputs[1], program=None)
    assert numbers == [1]
    assert caplog.text == ""
    assert digest_of(tmp_path / "p") == inputs[2]


def test_an_export_without_calibration_removes_layers_of_a_stopped_one(
    inputs: tuple[Path, Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop(monkeypatch, inputs, tmp_path / "p")
    export(inputs[0], tmp_path / "p", method="rtn", program=None)
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def _overwrite(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.seek(-4, 2)
        opened.write(b"\0\0\0\x3f")


CHANGES = {
    "overwritten": (_overwrite, "changed during the export"),
    "shorter": (lambda file: os.truncate(file, 5000), "ends early, at byte 5000"),
    "replaced": (lambda file: file.write_bytes(file.read_bytes()), "changed during the export"),
    "removed": (lambda file: file.unlink(), "changed during the export"),
    "a new file": (lambda file: file.with_name("new.json").touch(), "changed during the export"),
}


@pytest.mark.parametrize("method", ["rtn", "gptq"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_source_that_changes_during_an_export_is_an_error(
    change: str, method: str, inputs: tuple[Path, Path, str], tmp_path: Path
) -> None:
    checkpoint = write_checkpoint(tmp_path / "checkpoint")
    changed: list[int] = []
    act, message = CHANGES[change]

    def once(count: int, _name: str) -> None:
        if not changed:
            changed.append(count)
            act(checkpoint / "model.safetensors")

    calibrate = inputs[1] if method == "gptq" else "builtin"
    moment = {"on_total": once} if method == "rtn" else {"on_start": once}
    with pytest.raises(CheckpointError, match=message):
        export(checkpoint, tmp_path / "p", method=method, calibrate=calibrate, program=None, **moment)  # type: ignore[arg-type]  # a name of a method
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]
