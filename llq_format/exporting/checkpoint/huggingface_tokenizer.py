"""The tokenizer of a Hugging Face directory: tokenizer.json unchanged, and its settings from other files."""

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from llq_format.exporting.checkpoint.checkpoint import CheckpointError
from llq_format.exporting.checkpoint.keys import Keys, read_json
from llq_format.metadata.tokenizer import TokenizerFiles


def read(directory: Path, config: Keys, vocab_size: int) -> TokenizerFiles | None:
    """Return the tokenizer, or None if there is no tokenizer.json; raises CheckpointError."""
    path = directory / "tokenizer.json"
    if not path.is_file():
        return None
    tokenizer_json = path.read_bytes()
    try:
        tokenizer = Tokenizer.from_buffer(tokenizer_json)
    except Exception as error:  # the library raises no more specific class
        raise CheckpointError(
            f"{path}: not a tokenizer in the format of the tokenizers library: {error}"
        ) from error
    settings = _optional(directory / "tokenizer_config.json")
    generation = _optional(directory / "generation_config.json")
    return TokenizerFiles(
        tokenizer_json,
        _bos_token_id(tokenizer, settings, generation, config, vocab_size),
        _eos_token_ids(generation, config, vocab_size),
        _chat_template(directory, settings),
    )


def _optional(path: Path) -> Keys:
    return read_json(path) if path.is_file() else Keys({}, path.name)


def _bos_token_id(
    tokenizer: Tokenizer,
    settings: Keys,
    generation: Keys,
    config: Keys,
    vocab_size: int,
) -> int | None:
    """Return the token that begins a text, if the model uses such a token.

    Most configurations name such a token, whether or not the model was trained with it. Therefore
    `add_bos_token` of tokenizer_config.json decides. If it is absent, tokenizer.json decides: it may put a
    token before a text.
    """
    prefix = _prefix(tokenizer)
    if not settings.boolean("add_bos_token", default=bool(prefix)):
        return None
    keys = generation if generation.get("bos_token_id") is not None else config
    if keys.get("bos_token_id") is None:
        return prefix[0] if prefix else None
    return keys.integer("bos_token_id", 0, vocab_size - 1)


def _prefix(tokenizer: Tokenizer) -> list[int]:
    """Return the tokens that the tokenizer itself puts before a text."""
    ids = tokenizer.encode("a").ids
    bare = tokenizer.encode("a", add_special_tokens=False).ids
    for start in range(len(ids) - len(bare) + 1):
        if ids[start : start + len(bare)] == bare:
            return ids[:start]
    return []


def _eos_token_ids(generation: Keys, config: Keys, vocab_size: int) -> list[int]:
    """Return the tokens that end an answer; generation_config.json decides, as it does in transformers."""
    keys = generation if generation.get("eos_token_id") is not None else config
    value: Any = keys.get("eos_token_id", [])
    ids = value if isinstance(value, list) else [value]
    checked = [Keys({"eos_token_id": i}, keys.file).integer("eos_token_id", 0, vocab_size - 1) for i in ids]
    return list(dict.fromkeys(checked))


def _chat_template(directory: Path, settings: Keys) -> str | None:
    """Return the template of chat messages: a file of its own, or an entry of tokenizer_config.json."""
    path = directory / "chat_template.jinja"
    if path.is_file():
        try:
            return path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise CheckpointError(f"{path}: is not UTF-8: {error}") from error
    value = settings.get("chat_template")
    if isinstance(value, list):  # several templates with names
        templates = {entry.get("name"): entry.get("template") for entry in value if isinstance(entry, dict)}
        value = templates.get("default")
    if value is not None and not isinstance(value, str):
        raise settings.error("chat_template", "is neither a string nor a list of named templates")
    return value
