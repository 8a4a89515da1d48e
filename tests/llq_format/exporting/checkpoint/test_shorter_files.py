"""A file of a checkpoint that becomes shorter after it was opened is an error, and never ends the process."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from llq_format.exporting.checkpoint import CheckpointError, open_checkpoint
from llq_format.exporting.checkpoint.checkpoint import Checkpoint, Piece, Rows, Stack
from llq_format.exporting.checkpoint.stored_bytes import StoredBytes
from tests.llq_format.cli.test_export import write_checkpoint
from tests.support.gguf_files import plain, weights, write


def _safetensors(folder: Path) -> tuple[Path, Path]:
    checkpoint = write_checkpoint(folder / "checkpoint")
    return checkpoint, checkpoint / "model.safetensors"


def _gguf(folder: Path) -> tuple[Path, Path]:
    path = write(folder / "m.gguf", plain(weights()))
    return path, path


@pytest.mark.parametrize("length", [0, 5000])
@pytest.mark.parametrize("form", [_safetensors, _gguf])
def test_a_shorter_file_is_an_error(
    form: Callable[[Path], tuple[Path, Path]], length: int, tmp_path: Path
) -> None:
    checkpoint, file = form(tmp_path)
    with open_checkpoint(checkpoint, tokenizer=False) as source:
        source.load("embedding")
        os.truncate(file, length)
        with pytest.raises(CheckpointError, match=f"ends early, at byte {length}:"):
            load_all(source)


def load_all(source: Checkpoint) -> None:
    """Load tensors from all over a file."""
    for name in ("embedding", "layers.0.attention.qkv", "layers.0.ffn.down", "lm_head"):
        source.load(name)


ROWS = np.arange(60, dtype=np.int16).reshape(3, 4, 5)


@pytest.mark.parametrize("chunk", [1, 20, 1000])
@pytest.mark.parametrize(
    ("stored", "piece", "expected"),
    [
        (ROWS[0], Piece("t", (4, 5)), ROWS[0]),
        (ROWS[0], Piece("t", (2, 5), rows=Rows(1, 4)), ROWS[0, 1:3]),
        (ROWS, Piece("t", (4, 5), stack=Stack(2, 3, transposed=False)), ROWS[2]),
        (ROWS, Piece("t", (5, 4), stack=Stack(1, 3, transposed=True)), ROWS[1]),
        (ROWS[0, 0], Piece("t", (5,)), ROWS[0, :1]),
    ],
    ids=["whole", "rows", "matrix of a stack", "transposed matrix", "vector"],
)
def test_a_piece_is_read_in_runs_of_rows(
    stored: npt.NDArray[np.int16], piece: Piece, expected: npt.NDArray[np.int16], chunk: int, tmp_path: Path
) -> None:
    (tmp_path / "f").write_bytes(bytes(7) + stored.tobytes())
    file = StoredBytes(tmp_path / "f")
    runs = list(file.rows(7, stored.dtype, stored.shape, piece, chunk))
    file.close()
    assert [row for row, _ in runs] == list(np.cumsum([0, *(len(values) for _, values in runs[:-1])]))
    np.testing.assert_array_equal(np.concatenate([values for _, values in runs]), expected)
