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


def open_checkpoint(path: str | os.PathLike[str], *, tokenizer: bool = True) -> Checkpoint:
    """Open a Hugging Face directory or a GGUF file.

    When this returns, every tensor of the model exists, in its shape and in a supported type, and no weight
    has been read. With `tokenizer` false the checkpoint's tokenizer is not read, and
    `Checkpoint.tokenizer` is None. Raises CheckpointError.
    """
    path = Path(path)
    try:
        if path.is_dir():
            from llq_format.exporting.checkpoint.huggingface import open_directory  # noqa: PLC0415 (needs an extra)

            return open_directory(path, tokenizer=tokenizer)
        if path.is_file() and path.suffix == ".gguf":
            from llq_format.exporting.checkpoint.gguf_file import open_gguf  # noqa: PLC0415 (needs an extra)

            return open_gguf(path, tokenizer=tokenizer)
    except ModuleNotFoundError as error:
        if error.name not in {"gguf", "safetensors", "tokenizers"}:
            raise
        raise CheckpointError(
            f"reading a checkpoint requires the package {error.name}: pip install 'llq-format[checkpoint]'",
        ) from None
    if path.is_file():
        raise CheckpointError(
            f"{path}: expected a .gguf file, or a directory with config.json and the weights",
        )
    raise CheckpointError(f"{path}: no such file or directory")
