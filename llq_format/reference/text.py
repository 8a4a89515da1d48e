"""Text to token ids and back (spec: Decoder, Generation; LLQ-TOK-1)."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from llq_format.metadata.metadata import Tokenizer as TokenizerEntry
from llq_format.package.reader import Package

_UNFINISHED = "\ufffd"  # text that the tokenizers library returns for an incomplete character


class TextTokenizer:
    """The tokenizer of a package, through the tokenizers library."""

    def __init__(self, package: Package) -> None:
        """Load and check tokenizer.json.

        Raises ValueError if the package has none or the library refuses it, LLQError if its hash is wrong,
        ModuleNotFoundError without the library.
        """
        from tokenizers import Tokenizer  # noqa: PLC0415  # an extra

        entry = package.metadata.tokenizer
        if entry is None:
            raise ValueError("this package has no tokenizer: use token ids, or export it with a tokenizer")
        self.entry: TokenizerEntry = entry
        data = package.read_file(entry)
        try:
            self._tokenizer: Any = Tokenizer.from_buffer(data)
        except Exception as error:  # the library raises no more specific class
            raise ValueError(
                f"{entry.file}: the tokenizers library cannot read this tokenizer: {error}"
            ) from error

    def encode(self, text: str) -> list[int]:
        """Return the ids of a prompt, with `bos_token_id` exactly once at the beginning if it is not null."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        bos = self.entry.bos_token_id
        return ids if bos is None or ids[:1] == [bos] else [bos, *ids]

    def encode_chat(self, messages: Sequence[dict[str, str]]) -> list[int]:
        """Return the ids of chat messages; the template alone puts BOS in front. Raises as `chat` does."""
        ids: list[int] = self._tokenizer.encode(self.chat(messages), add_special_tokens=False).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of token ids, without special tokens."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return text

    def stream(self, tokens: Iterable[int]) -> Iterator[str]:
        """Yield the text of tokens as they arrive, in complete characters."""
        ids: list[int] = []
        emitted = ""
        for token in tokens:
            ids.append(token)
            text = self.decode(ids)
            if not text.endswith(_UNFINISHED):
                yield text[len(emitted) :]
                emitted = text
        remainder = self.decode(ids)[len(emitted) :]
        if remainder:
            yield remainder

    def chat(self, messages: Sequence[dict[str, str]]) -> str:
        """Return the prompt of chat messages, `{"role": …, "content": …}` each, by the package's template.

        Raises ValueError if the package has no template or the template refuses the messages.
        """
        from llq_format.reference.chat_template import rendered  # noqa: PLC0415  # an extra

        if self.entry.chat_template is None:
            raise ValueError("this package has no chat template: use a plain prompt")
        texts = self.entry.special_tokens
        if texts is None:
            texts = {
                "bos_token": self._token(self.entry.bos_token_id),
                "eos_token": self._token(next(iter(self.entry.eos_token_ids), None)),
            }
        return rendered(self.entry.chat_template, messages, texts)

    def _token(self, token_id: int | None) -> str:
        token: str | None = None if token_id is None else self._tokenizer.id_to_token(token_id)
        return token or ""


def token_ids(tokenizer_json: bytes, text: str) -> list[int]:
    """Return the ids of a text without special tokens; raises ValueError for an unreadable tokenizer."""
    ids: list[int] = _library_tokenizer(tokenizer_json).encode(text, add_special_tokens=False).ids
    return ids


def text_of(tokenizer_json: bytes, ids: Sequence[int]) -> str:
    """Return the text of token ids, without special tokens; raises ValueError as `token_ids` does."""
    text: str = _library_tokenizer(tokenizer_json).decode(list(ids), skip_special_tokens=True)
    return text


def _library_tokenizer(tokenizer_json: bytes) -> Any:
    from tokenizers import Tokenizer  # noqa: PLC0415  # an extra

    try:
        return Tokenizer.from_buffer(tokenizer_json)
    except Exception as error:  # the library raises no more specific class
        raise ValueError(f"the tokenizers library cannot read tokenizer.json: {error}") from error
