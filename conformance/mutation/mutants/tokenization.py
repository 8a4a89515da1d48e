"""Mutants of text to tokens and back (TOK-1)."""

import json
import re
import unicodedata
from collections.abc import Callable
from typing import Any

from llq_format.reference.text import TextTokenizer

from .mutant import mutant
from .seam import Seam


def _prompt(seam: Seam, change: Callable[[str], str]) -> None:
    """Encode another text."""
    seam.wrap(TextTokenizer, "encode", lambda encode: lambda self, prompt: encode(self, change(prompt)))


def _bos(seam: Seam, put: Callable[[list[int], int | None], list[int]]) -> None:
    """Put BOS in front in another way: from the ids without it, and its id."""

    def encode(self: TextTokenizer, prompt: str) -> list[int]:
        ids = self._tokenizer.encode(prompt)
        return put(ids, self.entry.bos_token_id)

    seam.replace(TextTokenizer, "encode", encode)


@mutant("BOS put in front of a prompt that begins with it", "TOK-1", "tokenize")
def bos_doubled(seam: Seam) -> None:
    _bos(seam, lambda ids, bos: ids if bos is None else [bos, *ids])


@mutant("BOS left out", "TOK-1", "tokenize")
def bos_missing(seam: Seam) -> None:
    _bos(seam, lambda ids, _: ids)


@mutant("BOS taken for token 1", "TOK-1", "tokenize")
def bos_always_1(seam: Seam) -> None:
    _bos(seam, lambda ids, bos: ids if bos is None or ids[:1] == [1] else [1, *ids])


@mutant("BOS 0 put in front though bos_token_id is null", "TOK-1", "tokenize")
def bos_though_null(seam: Seam) -> None:
    _bos(seam, lambda ids, bos: ids if ids[:1] == [bos or 0] else [bos or 0, *ids])


@mutant("no BOS for an empty prompt", "TOK-1", "tokenize")
def bos_not_for_nothing(seam: Seam) -> None:
    _bos(seam, lambda ids, bos: ids if not ids or bos is None or ids[0] == bos else [bos, *ids])


@mutant("several BOS at the beginning of a prompt made one", "TOK-1", "tokenize")
def bos_single(seam: Seam) -> None:
    def single(ids: list[int], bos: int | None) -> list[int]:
        while bos is not None and ids[:1] == [bos]:
            ids = ids[1:]
        return ids if bos is None else [bos, *ids]

    _bos(seam, single)


@mutant("BOS put after the prompt", "TOK-1", "tokenize")
def bos_at_the_end(seam: Seam) -> None:
    _bos(seam, lambda ids, bos: ids if bos is None else [*ids, bos])


@mutant("special tokens of the post-processor", "TOK-1", "tokenize")
def post_processor_applied(seam: Seam) -> None:
    seam.replace(
        TextTokenizer, "encode", lambda self, prompt: self._tokenizer.encode(prompt, special_tokens=True)
    )


@mutant("special tokens of the post-processor, and BOS before them", "TOK-1", "tokenize")
def post_processor_and_bos(seam: Seam) -> None:
    def encode(self: TextTokenizer, prompt: str) -> list[int]:
        ids, bos = self._tokenizer.encode(prompt, special_tokens=True), self.entry.bos_token_id
        return ids if bos is None else [bos, *ids]

    seam.replace(TextTokenizer, "encode", encode)


@mutant("special tokens decoded", "TOK-1", "tokenize")
def special_tokens_decoded(seam: Seam) -> None:
    def decode(self: TextTokenizer, ids: list[int]) -> str:
        return self._tokenizer.decode(ids, special_tokens=True)

    seam.replace(TextTokenizer, "decode", decode)


@mutant("tokens decoded one by one, characters torn apart", "TOK-1", "tokenize")
def decoded_token_by_token(seam: Seam) -> None:
    seam.wrap(
        TextTokenizer, "decode", lambda decode: lambda self, ids: "".join(decode(self, [i]) for i in ids)
    )


@mutant("decoded text stripped of white space", "TOK-1", "tokenize")
def decoded_text_stripped(seam: Seam) -> None:
    seam.wrap(TextTokenizer, "decode", lambda decode: lambda self, ids: decode(self, ids).strip())


@mutant("prompt stripped of white space", "TOK-1", "tokenize")
def prompt_stripped(seam: Seam) -> None:
    _prompt(seam, str.strip)


@mutant("prompt in lower case", "TOK-1", "tokenize")
def prompt_lower_case(seam: Seam) -> None:
    _prompt(seam, str.lower)


@mutant("prompt normalized to NFC", "TOK-1", "tokenize")
def prompt_normalized(seam: Seam) -> None:
    _prompt(seam, lambda prompt: unicodedata.normalize("NFC", prompt))


@mutant("a space put in front of the prompt", "TOK-1", "tokenize")
def prompt_spaced(seam: Seam) -> None:
    _prompt(seam, lambda prompt: " " + prompt)


@mutant("characters outside ASCII replaced", "TOK-1", "tokenize")
def prompt_ascii(seam: Seam) -> None:
    _prompt(seam, lambda prompt: prompt.encode("ascii", "replace").decode())


@mutant("special tokens in a prompt encoded as ordinary text", "TOK-1", "tokenize")
def special_tokens_in_text(seam: Seam) -> None:
    def encode(self: TextTokenizer, prompt: str) -> list[int]:
        pieces = re.split(r"(?<=<)(?=\|)", prompt)  # no piece holds the text of a special token
        ids = [i for piece in pieces for i in self._tokenizer.encode(piece)]
        bos = self.entry.bos_token_id
        return ids if bos is None else [bos, *ids]

    seam.replace(TextTokenizer, "encode", encode)


@mutant("an end token put after the prompt", "TOK-1", "tokenize")
def eos_appended(seam: Seam) -> None:
    seam.wrap(
        TextTokenizer,
        "encode",
        lambda encode: lambda self, prompt: encode(self, prompt) + list(self.entry.eos_token_ids[:1]),
    )


def _cut(seam: Seam, most: int) -> None:
    """Keep the first tokens of a prompt alone."""
    seam.wrap(TextTokenizer, "encode", lambda encode: lambda self, prompt: encode(self, prompt)[:most])


@mutant("prompts cut after 64 tokens", "TOK-1", "tokenize")
def prompt_cut_at_64(seam: Seam) -> None:
    _cut(seam, 64)


@mutant("prompts cut after 512 tokens", "TOK-1", "tokenize")
def prompt_cut_at_512(seam: Seam) -> None:
    _cut(seam, 512)


@mutant("line ends of a prompt changed to LF", "TOK-1", "tokenize")
def prompt_line_ends(seam: Seam) -> None:
    _prompt(seam, lambda prompt: prompt.replace("\r\n", "\n").replace("\r", "\n"))


@mutant("a prompt that ends at its first NUL", "TOK-1", "tokenize")
def prompt_ends_at_nul(seam: Seam) -> None:
    _prompt(seam, lambda prompt: prompt.partition("\0")[0])


def _without(seam: Seam, category: str) -> None:
    """Leave out the characters of a general category of Unicode, except line feeds and tabs."""
    _prompt(
        seam,
        lambda prompt: "".join(c for c in prompt if c in "\n\t" or unicodedata.category(c) != category),
    )


@mutant("control characters left out of a prompt", "TOK-1", "tokenize")
def prompt_without_control_characters(seam: Seam) -> None:
    _without(seam, "Cc")


@mutant("zero-width characters left out of a prompt", "TOK-1", "tokenize")
def prompt_without_zero_width_characters(seam: Seam) -> None:
    _without(seam, "Cf")


@mutant("a byte order mark left out of a prompt", "TOK-1", "tokenize")
def prompt_without_byte_order_mark(seam: Seam) -> None:
    _prompt(seam, lambda prompt: prompt.removeprefix("\ufeff"))


@mutant("spaces before punctuation left out of decoded text", "TOK-1", "tokenize")
def decoded_text_cleaned_up(seam: Seam) -> None:
    def cleaned(text: str) -> str:
        for piece in (" .", " ?", " !", " ,", " n't", " 'm", " 's", " 've", " 're"):
            text = text.replace(piece, piece[1:])
        return text

    seam.wrap(TextTokenizer, "decode", lambda decode: lambda self, ids: cleaned(decode(self, ids)))


def _lengthened(seam: Seam, change: Callable[[list[int], dict[str, Any]], list[int]]) -> None:
    """Change the ids of a prompt by what tokenizer.json states of lengths."""

    def encode(self: TextTokenizer, prompt: str, original: Callable[..., list[int]]) -> list[int]:
        return change(original(self, prompt), json.loads(self._tokenizer.json))

    seam.wrap(TextTokenizer, "encode", lambda original: lambda self, prompt: encode(self, prompt, original))


@mutant("prompts padded as tokenizer.json states, up to 1,000 tokens", "TOK-1", "tokenize")
def prompt_padded(seam: Seam) -> None:
    def padded(ids: list[int], tokenizer: dict[str, Any]) -> list[int]:
        padding = tokenizer["padding"] or {"strategy": {"Fixed": 0}, "pad_id": 0}
        return ids + [padding["pad_id"]] * (min(padding["strategy"]["Fixed"], 1000) - len(ids))

    _lengthened(seam, padded)


@mutant("prompts truncated as tokenizer.json states", "TOK-1", "tokenize")
def prompt_truncated(seam: Seam) -> None:
    _lengthened(seam, lambda ids, tokenizer: ids[: (tokenizer["truncation"] or {}).get("max_length")])
