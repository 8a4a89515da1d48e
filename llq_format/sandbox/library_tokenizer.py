"""Tokenizers of the tokenizers library, for the process with limits."""

from collections.abc import Sequence
from typing import Any

from tokenizers import Tokenizer

from llq_format.sandbox.text_error import TextError
from llq_format.sandbox.tokenizer import NotLoadedError

_MOST = 2
_LOADED: dict[bytes, Any] = {}
"""The last tokenizers, by their keys."""


def load(key: bytes, tokenizer_json: bytes) -> None:
    """Load a tokenizer, which neither pads nor truncates; raises TextError if the library refuses it."""
    try:
        tokenizer = Tokenizer.from_buffer(tokenizer_json)
    except Exception as error:  # the library raises no more specific class
        raise TextError("tokenizer", f"the tokenizers library cannot read tokenizer.json: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    while len(_LOADED) >= _MOST:
        del _LOADED[next(iter(_LOADED))]
    _LOADED[key] = tokenizer


def encode(key: bytes, text: str, special_tokens: bool) -> list[int]:  # noqa: FBT001  # called by name
    """Return the ids of a text."""
    ids: list[int] = _found(key).encode(text, add_special_tokens=special_tokens).ids
    return ids


def decode(key: bytes, ids: Sequence[int], special_tokens: bool) -> str:  # noqa: FBT001
    """Return the text of token ids."""
    text: str = _found(key).decode(ids, skip_special_tokens=not special_tokens)
    return text


def token(key: bytes, token_id: int) -> str | None:
    """Return the string of a token."""
    found: str | None = _found(key).id_to_token(token_id)
    return found


def _found(key: bytes) -> Any:
    try:
        return _LOADED[key]
    except KeyError:
        raise NotLoadedError from None
