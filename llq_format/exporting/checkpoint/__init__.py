"""Checkpoints: what an exporter reads.

`open_checkpoint` opens a Hugging Face directory or a GGUF file. It returns the weights one tensor at a time,
in the form that the table 'Tensors of a model' of the specification states:

    with open_checkpoint("SmolLM2-135M-Instruct") as checkpoint:
        checkpoint.model["hidden_size"]                  # the object `model` of metadata.json
        checkpoint.load("layers.0.attention.qkv")        # float32 [A + 2K, H]

This package imports without the extra `checkpoint`; opening a checkpoint needs it.
"""

import os
from pathlib import Path

from llq_format.exporting.checkpoint.checkpoint import Checkpoint, CheckpointError

__all__ = ["Checkpoint", "CheckpointError", "open_checkpoint"]

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model")
"""Files of a tokenizer. A directory that has both is read by the first."""


def open_checkpoint(
    path: str | os.PathLike[str], *, tokenizer: bool | str | os.PathLike[str] = True
) -> Checkpoint:
    """Open a Hugging Face directory or a GGUF file.

    When this returns, every tensor of the model exists, in its shape and in a supported type, and no weight
    except biases has been read. With `tokenizer` false the checkpoint's tokenizer is not read, and
    `Checkpoint.tokenizer` is None. A path of a tokenizer.json, a tokenizer.model or their directory replaces
    the checkpoint's tokenizer. Raises CheckpointError.
    """
    path = Path(path)
    tokenizer = tokenizer if isinstance(tokenizer, bool) else _tokenizer_file(Path(tokenizer))
    try:
        if path.is_dir():
            from llq_format.exporting.checkpoint.huggingface import open_directory  # noqa: PLC0415 (needs an extra)

            return open_directory(path, tokenizer=tokenizer)
        if path.is_file() and _is_gguf(path):
            from llq_format.exporting.checkpoint.gguf_checkpoint import open_gguf  # noqa: PLC0415 (needs an extra)

            return open_gguf(path, tokenizer=tokenizer)
    except ModuleNotFoundError as error:
        if error.name not in {"gguf", "safetensors", "tokenizers"}:
            raise
        raise CheckpointError(
            f"reading a checkpoint requires the package {error.name}: pip install 'llq-format[checkpoint]'",
        ) from None
    if path.is_file():
        raise CheckpointError(
            f"{path}: not a GGUF file: expected a GGUF file, or a directory with config.json and the weights",
        )
    raise CheckpointError(f"{path}: no such file or directory")


def _tokenizer_file(path: Path) -> Path:
    """Return the file that a path of a tokenizer denotes; raises CheckpointError."""
    files = [path / name for name in TOKENIZER_FILES] if path.is_dir() else [path]
    if path.name not in TOKENIZER_FILES and not path.is_dir():
        raise CheckpointError(
            f"{path}: expected a file with the name {' or '.join(TOKENIZER_FILES)}, or its directory"
        )
    for file in files:
        if file.is_file():
            return file
    raise CheckpointError(f"{' and '.join(map(str, files))}: no such file")


def _is_gguf(path: Path) -> bool:
    """Return whether a file begins as GGUF does, whatever its name, or has the suffix of GGUF."""
    if path.suffix.lower() == ".gguf":
        return True
    with path.open("rb") as file:
        return file.read(4) == b"GGUF"
