"""A checkpoint in GGUF files: the model, its weights, and its tokenizer."""

from dataclasses import replace
from pathlib import Path

from llq_format.exporting.checkpoint import bounded_tokenizers, families, gguf_tokenizer
from llq_format.exporting.checkpoint.chat_template import template_warnings
from llq_format.exporting.checkpoint.checkpoint import Checkpoint
from llq_format.exporting.checkpoint.gguf_parts import GgufParts
from llq_format.exporting.checkpoint.keys import Keys
from llq_format.exporting.checkpoint.warnings import ExportWarning
from llq_format.metadata.tokenizer import TokenizerFiles


def open_gguf(path: Path, *, tokenizer: bool | Path) -> Checkpoint:
    """Open a file, or one of the files of a model.

    `tokenizer` as a path is a tokenizer.json or a tokenizer.model. Raises CheckpointError.
    """
    source = GgufParts(path)
    metadata = source.metadata
    key = "general.architecture"
    name = metadata.string(key)
    if name not in families.GGUF:
        raise metadata.error(key, families.refusal(key, name, families.GGUF))
    architecture = families.GGUF[name](metadata, source)
    vocab_size = architecture.model["vocab_size"]
    files = None
    warnings: list[ExportWarning] = []
    if isinstance(tokenizer, Path):
        files, warnings = _replaced_tokenizer(tokenizer, metadata, vocab_size)
    elif tokenizer:
        files, warnings = bounded_tokenizers.of_gguf(metadata, vocab_size)
    return Checkpoint(architecture, source, files, warnings)


def _replaced_tokenizer(
    path: Path, metadata: Keys, vocab_size: int
) -> tuple[TokenizerFiles | None, list[ExportWarning]]:
    """Return the tokenizer of a file, and warnings; the keys state what the files next to it do not."""
    settings = gguf_tokenizer.settings(metadata, vocab_size)
    config = {"bos_token_id": settings.bos_token_id, "eos_token_id": list(settings.eos_token_ids)}
    files, warnings = bounded_tokenizers.of_files(path, Keys(config, metadata.file), vocab_size)
    if files is None or files.chat_template is not None:
        return files, warnings
    warnings += template_warnings(settings.chat_template)
    return replace(files, chat_template=settings.chat_template), warnings
