"""Tokenizers of checkpoints, read in the process with limits: what they hold is code of strangers."""

from pathlib import Path
from typing import Any

from llq_format.exporting.checkpoint.chat_template import template_warnings
from llq_format.exporting.checkpoint.checkpoint import CheckpointError
from llq_format.exporting.checkpoint.keys import Keys
from llq_format.exporting.checkpoint.pre_tokenizers import WAYS_OUT
from llq_format.exporting.checkpoint.warnings import ExportWarning, end_warnings
from llq_format.metadata.tokenizer import TokenizerFiles
from llq_format.sandbox.process import SANDBOX, LimitError

Found = tuple[TokenizerFiles | None, list[ExportWarning]]


def of_files(path: Path, config: Keys, vocab_size: int) -> Found:
    """Return a tokenizer of files, None if there is none, and warnings; raises CheckpointError.

    path: the directory, or the file in it that is the tokenizer.
    """
    found: Found = _read("huggingface_tokenizer", path, config, vocab_size, place=str(path))
    files, warnings = found
    return files, [*warnings, *template_warnings(None if files is None else files.chat_template)]


def of_gguf(metadata: Keys, vocab_size: int) -> Found:
    """Return the tokenizer that the keys of a GGUF file state, and warnings; raises CheckpointError."""
    files: TokenizerFiles = _read("gguf_tokenizer", metadata, vocab_size, place=metadata.file)
    return files, [*end_warnings(files.eos_token_ids), *template_warnings(files.chat_template)]


def _read(module: str, *arguments: Any, place: str) -> Any:
    try:
        return SANDBOX.call(f"llq_format.exporting.checkpoint.{module}:read", *arguments)
    except LimitError as error:
        raise CheckpointError(
            f"{place}: the tokenizer exceeds a limit: {error} (LLQ-TOK-5): {WAYS_OUT}"
        ) from error
    except (CheckpointError, OSError, ModuleNotFoundError):
        raise
    except Exception as error:  # the tokenizers library raises no more specific class
        raise CheckpointError(f"{place}: the tokenizer fails: {error}: {WAYS_OUT}") from error
