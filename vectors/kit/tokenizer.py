"""A byte-level BPE tokenizer, small enough to follow by hand, and its tokenizer.json."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from vectors.kit.computed import Answer, packaged
from vectors.kit.noise import finite16
from vectors.kit.package import assemble
from vectors.kit.tensor import Raw

Json = Any


def alphabet() -> list[str]:
    """Return the character that represents each byte: itself if visible, else one from U+0100 on."""
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    hidden = [byte for byte in range(256) if byte not in visible]
    return [chr(byte) if byte in visible else chr(0x100 + hidden.index(byte)) for byte in range(256)]


LETTERS = alphabet()


def plain_tokenizer(vocab_size: int) -> bytes:
    """Return a tokenizer.json that has a token for every id, for packages whose vectors speak in ids."""
    return tokenizer_of(range(vocab_size))


def tokenizer_of(ids: Iterable[int]) -> bytes:
    """Return a tokenizer.json that has a token for some ids, 0 among them."""
    vocab = {f"t{index}": index for index in ids}
    return document(
        {"type": "WordLevel", "vocab": vocab, "unk_token": "t0"}, [], {"type": "Whitespace"}, None, None
    )


def document(
    model: Json, added: list[Json], pre_tokenizer: Json, post_processor: Json, decoder: Json
) -> bytes:
    """Return the text of a tokenizer.json."""
    value = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": post_processor,
        "decoder": decoder,
        "model": model,
    }
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


@dataclass(frozen=True)
class Bpe:
    """Bytes are tokens 0 to 255, each merge adds one, and the special tokens follow."""

    merges: tuple[tuple[bytes, bytes], ...]
    special: tuple[str, ...]

    @property
    def pieces(self) -> list[bytes]:
        """Return the bytes of each token that is not special."""
        return [bytes([byte]) for byte in range(256)] + [left + right for left, right in self.merges]

    def special_id(self, text: str) -> int:
        """Return the id of a special token."""
        return len(self.pieces) + self.special.index(text)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, in which the texts of special tokens become special tokens."""
        ids: list[int] = []
        for part in re.split("(" + "|".join(map(re.escape, self.special)) + ")", text):
            ids += [self.special_id(part)] if part in self.special else self.merge(part.encode())
        return ids

    def merge(self, data: bytes) -> list[int]:
        """Merge the leftmost pair of the first merge that applies, until none does."""
        parts = [bytes([byte]) for byte in data]
        while True:
            pairs = list(pairwise(parts))
            ranks = [self.merges.index(pair) for pair in pairs if pair in self.merges]
            if not ranks:
                return [self.pieces.index(part) for part in parts]
            place = pairs.index(self.merges[min(ranks)])
            parts[place : place + 2] = [parts[place] + parts[place + 1]]

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids without special tokens."""
        pieces = self.pieces
        return b"".join(pieces[token] for token in ids if token < len(pieces)).decode()

    def json(self, members: Mapping[str, Json] | None = None) -> bytes:
        """Return tokenizer.json, whose post-processor would add the first special token.

        members: values of members that differ.
        """

        def word(piece: bytes) -> str:
            return "".join(LETTERS[byte] for byte in piece)

        first, first_id = self.special[0], self.special_id(self.special[0])
        plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        text = document(
            {
                "type": "BPE",
                "vocab": {word(piece): index for index, piece in enumerate(self.pieces)},
                "merges": [[word(left), word(right)] for left, right in self.merges],
            },
            [{"id": self.special_id(text), "content": text, **plain} for text in self.special],
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
            {
                "type": "TemplateProcessing",
                "single": [
                    {"SpecialToken": {"id": first, "type_id": 0}},
                    {"Sequence": {"id": "A", "type_id": 0}},
                ],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {first: {"id": first, "ids": [first_id], "tokens": [first]}},
            },
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
        )
        if not members:
            return text
        return (json.dumps(json.loads(text) | dict(members), ensure_ascii=False, indent=1) + "\n").encode()


@dataclass(frozen=True)
class Tokenize:
    """A prompt, the text of `bos_token_id` or None, and the texts of `eos_token_ids`.

    end: what follows the last bracket of tokenizer.json. members: other members of tokenizer.json.
    """

    bpe: Bpe
    text: str
    bos: str | None
    eos: tuple[str, ...] = ()
    end: bytes = b"\n"
    members: dict[str, Json] = field(default_factory=dict)

    def answer(self, home: str) -> Answer:
        """Return the ids and their text."""
        ids = self.bpe.encode(self.text)
        bos = None if self.bos is None else self.bpe.special_id(self.bos)
        if bos is not None and ids[:1] != [bos]:
            ids = [bos, *ids]
        eos = [self.bpe.special_id(text) for text in self.eos]
        members: dict[str, Json] = {"bos_token_id": bos, "eos_token_ids": eos, "chat_template": None}
        package = assemble([Raw("weight", "f16", (4,), lambda index: finite16(1, index))])
        package.attach(
            "tokenizer", "tokenizer.json", self.bpe.json(self.members).strip() + self.end, **members
        )
        entry = {"package": f"{home}/package", "text": self.text, "ids": ids, "decoded": self.bpe.decode(ids)}
        return entry, packaged(home, package.seal().files)
