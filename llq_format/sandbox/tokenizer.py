"""A tokenizer, in the process with limits (spec: Decoder, Tokenization; LLQ-TOK-1, LLQ-TOK-5)."""

import hashlib
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from llq_format.sandbox.limits import scale
from llq_format.sandbox.process import SANDBOX, LimitError
from llq_format.sandbox.text_error import TextError, tokenizer_limit

_MODULE = "llq_format.sandbox.library_tokenizer"


class NotLoadedError(Exception):
    """The process does not have a tokenizer, as after its start."""


class BoundedTokenizer:
    """The tokenizer of a tokenizer.json, through the tokenizers library.

    json: the bytes of tokenizer.json.
    """

    def __init__(self, tokenizer_json: bytes) -> None:
        """Load it; raises TextError if the library refuses it, ModuleNotFoundError without the library."""
        if find_spec("tokenizers") is None:
            raise ModuleNotFoundError("tokenizers is not installed", name="tokenizers")
        self.json = tokenizer_json
        self._key = hashlib.sha256(tokenizer_json).digest()
        self.token(0)

    def encode(self, text: str, *, special_tokens: bool = False) -> list[int]:
        """Return the ids of a text; the post-processor may add special tokens."""
        ids: list[int] = self._call("encode", text, special_tokens, times=scale(len(text)))
        return ids

    def decode(self, ids: Sequence[int], *, special_tokens: bool = False) -> str:
        """Return the text of token ids, with or without special tokens."""
        text: str = self._call("decode", list(ids), special_tokens, times=scale(len(ids)))
        return text

    def token(self, token_id: int) -> str | None:
        """Return the string of a token, None if the tokenizer does not have it."""
        token: str | None = self._call("token", token_id)
        return token

    def _call(self, function: str, *arguments: Any, times: float = 1.0) -> Any:
        try:
            try:
                return SANDBOX.call(f"{_MODULE}:{function}", self._key, *arguments, scale=times)
            except NotLoadedError:
                SANDBOX.call(f"{_MODULE}:load", self._key, self.json)
                return SANDBOX.call(f"{_MODULE}:{function}", self._key, *arguments, scale=times)
        except LimitError as error:
            raise tokenizer_limit(str(error)) from error
        except (TextError, ModuleNotFoundError):
            raise
        except Exception as error:  # the library raises no more specific class
            raise TextError("tokenizer", f"the tokenizer fails: {error}") from error
