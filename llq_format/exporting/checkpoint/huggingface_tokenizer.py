"""The tokenizer of a Hugging Face directory, completed with the tokens that other files state.

`bounded_tokenizers` executes this in the process with limits.

transformers is the measure: texts and messages give the ids that its tokenizer of the same directory gives.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer

from llq_format.exporting.checkpoint import sentencepiece_file, sentencepiece_tokenizer, special_tokens
from llq_format.exporting.checkpoint.chat_template import chat_template
from llq_format.exporting.checkpoint.checkpoint import CheckpointError
from llq_format.exporting.checkpoint.keys import JSON_LIMIT, Keys
from llq_format.exporting.checkpoint.special_tokens import SpecialTokens, optional
from llq_format.exporting.checkpoint.warnings import ExportWarning, end_warnings, warning
from llq_format.metadata.tokenizer import TokenizerFiles

Found = tuple[TokenizerFiles | None, list[ExportWarning]]


@dataclass(frozen=True)
class _Source:
    """A tokenizer, the bytes of its tokenizer.json or None, and the tokens that other files state."""

    tokenizer: Tokenizer
    data: bytes | None
    tokens: SpecialTokens


@dataclass(frozen=True)
class _Surroundings:
    """The tokens that the tokenizer puts before and after a text."""

    before: list[int]
    after: list[int]


def read(path: Path, config: Keys, vocab_size: int) -> Found:
    """Return the tokenizer of a directory, None if there is none, and warnings; raises CheckpointError.

    path: the directory, or the file in it that is the tokenizer.
    """
    directory = path.parent if path.is_file() else path
    settings = optional(directory / "tokenizer_config.json")
    tokens = special_tokens.read(directory, settings)
    source = _source(path, settings, tokens)
    if isinstance(source, str):
        if path.is_file():
            raise CheckpointError(f"{directory}: {source}")
        return None, [warning("no-tokenizer", cause=source)]
    generation = optional(directory / "generation_config.json")
    tokenizer, tokens = source.tokenizer, source.tokens
    data = _completed(source)
    around = _configured(source, settings) if source.data is None else _surroundings(tokenizer)
    configured = _configured_ends(generation, config, vocab_size)
    end = _id_of(tokenizer, tokens, "eos_token")
    ends = [*configured, end] if end is not None and end < vocab_size else configured
    template = chat_template(directory, settings)
    files = TokenizerFiles(
        data,
        around.before[0] if around.before and around.before[0] < vocab_size else None,
        list(dict.fromkeys(ends)),
        template,
        tokens.texts(),
    )
    warnings = [
        *_moved(tokenizer, tokens),
        *_bos_warnings(around, generation, config),
        *_ignored_settings(around, settings),
        *end_warnings(files.eos_token_ids, configured, end),
        *_size_warnings(tokenizer, vocab_size),
    ]
    return files, warnings


def _source(place: Path, settings: Keys, tokens: SpecialTokens) -> _Source | str:
    """Return the tokenizer of a file or of a directory, or the cause that there is none.

    Raises CheckpointError for a damaged tokenizer.json.
    """
    path = place if place.is_file() else place / "tokenizer.json"
    if path.name == "tokenizer.model":
        return _converted(path, settings, tokens)
    if path.is_file():
        data = path.read_bytes()
        try:
            return _Source(Tokenizer.from_buffer(data), data, tokens)
        except Exception as error:  # the library raises no more specific class
            raise CheckpointError(
                f"{path}: not a tokenizer in the format of the tokenizers library: {error}"
            ) from error
    return _converted(place / "tokenizer.model", settings, tokens)


def _converted(path: Path, settings: Keys, tokens: SpecialTokens) -> _Source | str:
    """Return the tokenizer of a SentencePiece model, or the cause that there is none."""
    if not path.is_file():
        return "the checkpoint has neither tokenizer.json nor tokenizer.model"
    if path.stat().st_size > JSON_LIMIT:
        return f"{path.name} is longer than {JSON_LIMIT} bytes"
    llama = settings.get("tokenizer_class") in {"LlamaTokenizer", "LlamaTokenizerFast"}
    legacy = settings.boolean("legacy", default=not llama)
    try:
        model = sentencepiece_file.parse(path.read_bytes())
        tokenizer = sentencepiece_tokenizer.converted(model, legacy=legacy)
    except Exception as error:  # noqa: BLE001  # the tokenizers library raises no more specific class
        return f"{path.name} is not a SentencePiece model: {error}"
    ids = {"unk_token": model.unknown_id, "bos_token": model.bos_id, "eos_token": model.eos_id}
    own = {
        name: AddedToken(model.pieces[index].text, special=True, normalized=False)
        for name, index in ids.items()
        if 0 <= index < len(model.pieces)
    }
    return _Source(tokenizer, None, replace(tokens, named=own | tokens.named))


def _completed(source: _Source) -> bytes:
    """Add tokens as transformers does; return the bytes of tokenizer.json if that changes nothing."""
    tokenizer, tokens = source.tokenizer, source.tokens
    before = tokenizer.to_str()
    present = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    named = [*tokens.named.values(), *tokens.extra]
    added = [token for _, token in sorted(tokens.added.items())]
    known = present | {token.content for token in added}
    tokenizer.add_tokens(added + [token for token in named if token.content not in known])
    tokenizer.add_special_tokens(named)
    if source.data is not None and json.loads(tokenizer.to_str()) == json.loads(before):
        return source.data
    return tokenizer.to_str().encode()


def _configured(source: _Source, settings: Keys) -> _Surroundings:
    """Return what `add_bos_token` and `add_eos_token` of tokenizer_config.json put around a text."""

    def put(name: str) -> list[int]:
        token = _id_of(source.tokenizer, source.tokens, f"{name}_token")
        wanted = settings.boolean(f"add_{name}_token", default=False)
        return [token] if wanted and token is not None else []

    return _Surroundings(put("bos"), put("eos"))


def _surroundings(tokenizer: Tokenizer) -> _Surroundings:
    """Return what the post-processor of tokenizer.json puts around a text."""
    tokenizer.no_padding()
    tokenizer.no_truncation()
    ids = tokenizer.encode("a").ids
    bare = tokenizer.encode("a", add_special_tokens=False).ids
    for start in range(len(ids) - len(bare) + 1):
        if ids[start : start + len(bare)] == bare:
            return _Surroundings(ids[:start], ids[start + len(bare) :])
    return _Surroundings([], [])


def _id_of(tokenizer: Tokenizer, tokens: SpecialTokens, name: str) -> int | None:
    token = tokens.named.get(name)
    return None if token is None else tokenizer.token_to_id(token.content)


def _configured_ends(generation: Keys, config: Keys, vocab_size: int) -> list[int]:
    """Return the end tokens of generation_config.json and config.json."""
    ids: list[int] = []
    for keys in (generation, config):
        value: Any = keys.get("eos_token_id", [])
        for token in value if isinstance(value, list) else [value]:
            one = Keys({"eos_token_id": token}, keys.file)
            ids += [one.integer("eos_token_id", 0, vocab_size - 1)]
    return list(dict.fromkeys(ids))


def _moved(tokenizer: Tokenizer, tokens: SpecialTokens) -> Iterator[ExportWarning]:
    for stated, token in sorted(tokens.added.items()):
        found = tokenizer.token_to_id(token.content)
        if found != stated:
            yield warning(
                "added-token-moved", token=token.content, id=found, stated=stated, file=tokens.added_file
            )


def _bos_warnings(around: _Surroundings, generation: Keys, config: Keys) -> Iterator[ExportWarning]:
    if len(around.before) > 1 or around.after:
        yield warning("tokens-around-text", before=around.before, after=around.after)
    keys = generation if generation.get("bos_token_id") is not None else config
    stated = keys.get("bos_token_id")
    if around.before and stated is not None and stated != around.before[0]:
        yield warning("bos-differs", file=keys.file, stated=stated, found=around.before[0])


def _ignored_settings(around: _Surroundings, settings: Keys) -> Iterator[ExportWarning]:
    """Yield a warning for each setting that tokenizer.json contradicts; transformers ignores them too."""
    for key, ids in (("add_bos_token", around.before), ("add_eos_token", around.after)):
        if settings.get(key) is not None and settings.boolean(key, default=False) != bool(ids):
            yield warning("setting-ignored", key=key, stated=settings.get(key), found=ids)


def _size_warnings(tokenizer: Tokenizer, vocab_size: int) -> Iterator[ExportWarning]:
    largest = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
    if largest >= vocab_size:
        yield warning("tokenizer-too-large", largest=largest, rows=vocab_size, last=vocab_size - 1)
