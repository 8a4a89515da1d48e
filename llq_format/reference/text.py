"""Text to token ids and back (spec: Decoder, Generation; LLQ-TOK-1)."""

from collections.abc import Iterable, Iterator, Sequence

from llq_format.metadata.metadata import Tokenizer as TokenizerEntry
from llq_format.package.reader import Package
from llq_format.sandbox.chat_template import rendered
from llq_format.sandbox.tokenizer import BoundedTokenizer

_UNFINISHED = "\ufffd"  # text that the tokenizers library returns for an incomplete character


class TextTokenizer:
    """The tokenizer of a package, which works in the process with limits."""

    def __init__(self, package: Package) -> None:
        """Load and check tokenizer.json.

        Raises ValueError if the package has none, TextError if the library refuses it or it exceeds a limit,
        LLQError if its hash is wrong, ModuleNotFoundError without the library.
        """
        entry = package.metadata.tokenizer
        if entry is None:
            raise ValueError("this package has no tokenizer: use token ids, or export it with a tokenizer")
        self.entry: TokenizerEntry = entry
        self._tokenizer = BoundedTokenizer(package.read_file(entry))

    def encode(self, text: str) -> list[int]:
        """Return the ids of a prompt, with `bos_token_id` exactly once at the beginning if it is not null."""
        ids = self._tokenizer.encode(text)
        bos = self.entry.bos_token_id
        return ids if bos is None or ids[:1] == [bos] else [bos, *ids]

    def encode_chat(self, messages: Sequence[dict[str, str]]) -> list[int]:
        """Return the ids of chat messages; the template alone puts BOS in front. Raises as `chat` does."""
        return self._tokenizer.encode(self.chat(messages))

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of token ids, without special tokens."""
        return self._tokenizer.decode(ids)

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

        Raises ValueError if the package has no template; TextError if the template refuses the messages or
        exceeds a limit.
        """
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
        return "" if token_id is None else self._tokenizer.token(token_id) or ""


def token_ids(tokenizer_json: bytes, text: str) -> list[int]:
    """Return the ids of a text without special tokens; raises TextError for an unreadable tokenizer."""
    return BoundedTokenizer(tokenizer_json).encode(text)


def text_of(tokenizer_json: bytes, ids: Sequence[int]) -> str:
    """Return the text of token ids, without special tokens; raises TextError as `token_ids` does."""
    return BoundedTokenizer(tokenizer_json).decode(ids)
