"""Models in several GGUF files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llq_format.exporting.checkpoint import Checkpoint, CheckpointError, open_checkpoint
from llq_format.exporting.export import export
from tests.support.gguf_files import Stored, plain, weights, write

COUNT = 3


def write_parts(directory: Path, stem: str = "m", **changes: Any) -> list[Path]:
    """Write the tiny model in three files; only the first has the keys of the model."""
    tensors = list(plain(weights()).items())
    paths = []
    for number in range(COUNT):
        part: Stored = dict(tensors[number::COUNT])
        path = directory / f"{stem}-{number + 1:05d}-of-{COUNT:05d}.gguf"
        split = {
            "split.no": number,
            "split.count": COUNT,
            "split.tensors.count": len(tensors),
        }
        metadata: dict[str, Any] = {"metadata": split} if number else {}
        write(
            path,
            part,
            **metadata,
            **{key.replace(".", "__"): value for key, value in split.items()} | changes,
        )
        paths.append(path)
    return paths


def tensors_of(checkpoint: Checkpoint) -> dict[str, Any]:
    names = ("embedding", "layers.0.attention.qkv", "layers.1.ffn.down", "norm", "lm_head", "rope.inv_freq")
    return {name: checkpoint.load(name) for name in names}


@pytest.mark.parametrize("number", range(COUNT))
def test_every_part_denotes_the_whole_model(tmp_path: Path, number: int) -> None:
    whole = write(tmp_path / "whole.gguf", plain(weights()))
    parts = write_parts(tmp_path)
    with (
        open_checkpoint(whole, tokenizer=False) as one,
        open_checkpoint(parts[number], tokenizer=False) as several,
    ):
        assert several.model == one.model
        assert several.provenance == one.provenance
        for name, tensor in tensors_of(one).items():
            np.testing.assert_array_equal(several.load(name), tensor)


def test_missing_part_is_named(tmp_path: Path) -> None:
    parts = write_parts(tmp_path)
    parts[1].unlink()
    with pytest.raises(
        CheckpointError, match=r"m-00002-of-00003\.gguf: not found, but m-00001-of-00003\.gguf is one"
    ):
        open_checkpoint(parts[0], tokenizer=False)


def test_exchanged_parts_are_refused(tmp_path: Path) -> None:
    parts = write_parts(tmp_path)
    second = parts[1].read_bytes()
    parts[1].write_bytes(parts[2].read_bytes())
    parts[2].write_bytes(second)
    with pytest.raises(
        CheckpointError, match=r"m-00002-of-00003\.gguf: split\.no is 2, but the name denotes 1"
    ):
        open_checkpoint(parts[0], tokenizer=False)


def test_part_of_another_model_is_refused(tmp_path: Path) -> None:
    parts = write_parts(tmp_path)
    parts[1].write_bytes(parts[0].read_bytes())
    with pytest.raises(CheckpointError, match=r"split\.no is 0, but the name denotes 1"):
        open_checkpoint(parts[0], tokenizer=False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split__tensors__count": 99}, r"split\.tensors\.count is 99, but the files have 21 tensors"),
        ({"split__count": 4}, r"split\.count is 4, but the name denotes 3 files"),
        ({"split__count": ...}, r"split\.count is 1, but the name denotes 3 files"),
    ],
)
def test_contradictions_are_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(write_parts(tmp_path, **changes)[0], tokenizer=False)


def test_tensor_in_two_parts_is_refused(tmp_path: Path) -> None:
    parts = write_parts(tmp_path)
    split = {"split.no": 1, "split.count": COUNT}
    write(parts[1], plain(weights()), metadata=split)
    with pytest.raises(
        CheckpointError, match=r"m-00002-of-00003\.gguf: tensor .* is in m-00001-of-00003\.gguf, too"
    ):
        open_checkpoint(parts[0], tokenizer=False)


def test_renamed_part_is_refused(tmp_path: Path) -> None:
    renamed = tmp_path / "model.gguf"
    write_parts(tmp_path)[0].rename(renamed)
    with pytest.raises(CheckpointError, match=r"split\.count is 3, but the name denotes 1 file"):
        open_checkpoint(renamed, tokenizer=False)


def test_provenance_covers_every_part(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    parts = write_parts(tmp_path / "a")
    options: dict[str, Any] = {"program": None, "tokenizer": False}
    before = export(parts[0], tmp_path / "p", **options)
    assert before.stem == "m"
    assert export(parts[2], tmp_path / "q", **options).extras == before.extras
    parts[1].write_bytes(parts[1].read_bytes() + b"\0")
    after = export(parts[0], tmp_path / "r", **options)
    assert after.extras is not None
    assert before.extras is not None
    assert after.extras["provenance"]["source_sha256"] != before.extras["provenance"]["source_sha256"]
