"""The fields of a SentencePiece model, read from its protocol buffer.

A message is a sequence of fields; each begins with a varint, 8 · number + type. Only four types occur:

    0 varint | 1 eight bytes | 2 varint length, bytes | 5 four bytes
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

NORMAL, UNKNOWN, CONTROL, USER_DEFINED = 1, 2, 3, 4
"""Types of pieces; unused pieces and bytes have others."""

_MODELS: dict[int, Literal["unigram", "bpe"]] = {1: "unigram", 2: "bpe"}
Value = int | float | bytes


@dataclass(frozen=True)
class PieceEntry:
    """A piece, its score, and its type."""

    text: str
    score: float
    kind: int


@dataclass(frozen=True)
class SentencePieceModel:
    """What a tokenizer needs of a model; `charsmap` is empty without normalization of characters."""

    kind: Literal["unigram", "bpe"]
    pieces: tuple[PieceEntry, ...]
    byte_fallback: bool
    unknown_id: int
    bos_id: int
    eos_id: int
    charsmap: bytes
    add_dummy_prefix: bool
    remove_extra_whitespaces: bool
    escape_whitespaces: bool


def parse(data: bytes) -> SentencePieceModel:
    """Read a tokenizer.model; raises ValueError for another format or another kind of model."""
    pieces: list[PieceEntry] = []
    trainer: dict[int, Value] = {}
    normalizer: dict[int, Value] = {}
    for number, value in _fields(data):
        if number == 1:
            piece = dict(_fields(_bytes(value)))
            text = _bytes(piece.get(1, b"")).decode()
            pieces.append(PieceEntry(text, float(piece.get(2, 0.0)), int(piece.get(3, NORMAL))))
        elif number == 2:
            trainer = dict(_fields(_bytes(value)))
        elif number == 3:
            normalizer = dict(_fields(_bytes(value)))
    kind = _MODELS.get(int(trainer.get(3, 1)))
    if kind is None or not pieces:
        raise ValueError("it has no pieces, or is neither a Unigram nor a BPE model")
    return SentencePieceModel(
        kind,
        tuple(pieces),
        byte_fallback=bool(trainer.get(35, 0)),
        unknown_id=_signed(trainer.get(40, 0)),
        bos_id=_signed(trainer.get(41, 1)),
        eos_id=_signed(trainer.get(42, 2)),
        charsmap=_bytes(normalizer.get(2, b"")),
        add_dummy_prefix=bool(normalizer.get(3, 1)),
        remove_extra_whitespaces=bool(normalizer.get(4, 1)),
        escape_whitespaces=bool(normalizer.get(5, 1)),
    )


def _fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """Yield the number and the value of each field; raises ValueError."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == 2:
            length, at = _varint(data, at)
        elif kind in {1, 5}:
            length = 8 if kind == 1 else 4
        else:
            raise ValueError("it is not a protocol buffer")
        if at + length > len(data):
            raise ValueError("it is not a complete protocol buffer")
        content = data[at : at + length]
        at += length
        if kind == 5:
            yield number, struct.unpack("<f", content)[0]
        else:
            yield number, content


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return an integer of 7 bits a byte, low-order first, and the offset after it; raises ValueError."""
    value = 0
    for index, byte in enumerate(data[at : at + 10]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, at + index + 1
    raise ValueError("it is not a protocol buffer")


def _signed(value: Value) -> int:
    integer = int(value)
    return integer - 2**64 if integer >= 2**63 else integer


def _bytes(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("it is not a SentencePiece model")  # noqa: TRY004  # of the file, not of an argument
    return value
