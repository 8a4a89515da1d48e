"""Mutations of the text of a JSON file: white space, escapes, bytes that are not UTF-8, cuts, spellings."""

import re
from random import Random

from tests.fuzzing.mutations.values import RAW_TEXTS, SPELLINGS

_NUMBER = re.compile(rb"(?<=[\[:,])-?[0-9][0-9.eE+-]*")
_STRING = re.compile(rb'"[^"\\]*"')
_SPACES = [
    b" ",
    b"\n",
    b"\t",
    b"\r",
    b"\r\n",
    b"\x0b",
    b"\x0c",
    b"\xc2\xa0",
    b"\xef\xbb\xbf",
    b"\0",
    b"/**/",
    b"//\n",
]
_FOREIGN = [
    *(
        b"\xff",
        b"\xfe",
        b"\x80",
        b"\xc0\x80",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\xed\xb0\x80",
        b"\xed\xa0\xbd\xed\xb8\x80",
    ),
    *(
        b"\xf4\x90\x80\x80",
        b"\xf0\x9f\x98\x80",
        b"\xe2\x80\xa8",
        b"\xf8\x88\x80\x80\x80",
        b"\xe0\x80\xaf",
        b"\xef\xbf\xbe",
    ),
]
_MARKS = [
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b'"',
    b"\\",
    b"\\u",
    b"e",
    b".",
    b"-",
    b"null",
    b"[[",
    b"[" * 33,
    b"]" * 3,
]


def mutate(data: bytes, rng: Random) -> bytes:
    """Return a changed text."""
    change = rng.choice([_space, _foreign, _mark, _escape, _number, _string, _cut, _byte, _ends, _repeat])
    return change(data, rng)


def _insert(data: bytes, rng: Random, piece: bytes) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + piece + data[at:]


def _space(data: bytes, rng: Random) -> bytes:
    """Put white space, or what looks like it, next to a mark."""
    marks = [match.start() for match in re.finditer(rb"[\[\]{},:]", data)] or [0]
    at = rng.choice(marks) + rng.randint(0, 1)
    return data[:at] + rng.choice(_SPACES) + data[at:]


def _foreign(data: bytes, rng: Random) -> bytes:
    return _insert(data, rng, rng.choice(_FOREIGN))


def _mark(data: bytes, rng: Random) -> bytes:
    return _insert(data, rng, rng.choice(_MARKS))


def _escape(data: bytes, rng: Random) -> bytes:
    """Write a character of a string as an escape."""
    strings = [match for match in _STRING.finditer(data) if len(match[0]) > 2]
    if not strings:
        return data
    match = rng.choice(strings)
    at = rng.randrange(match.start() + 1, match.end() - 1)
    form = rng.choice([b"\\u%04x", b"\\u%04X", b"\\U%04x", b"\\x%02x", b"\\u%03x"])
    return data[:at] + form % data[at] + data[at + 1 :]


def _number(data: bytes, rng: Random) -> bytes:
    numbers = list(_NUMBER.finditer(data))
    if not numbers:
        return data
    match = rng.choice(numbers)
    old = match[0]
    new = rng.choice(
        [
            *(item.encode() for item in SPELLINGS[:40]),
            old + b".0",
            old + b"e0",
            b"0" + old,
            old + b".",
            b"-" + old,
        ]
    )
    return data[: match.start()] + new + data[match.end() :]


def _string(data: bytes, rng: Random) -> bytes:
    strings = list(_STRING.finditer(data))
    if not strings:
        return data
    match = rng.choice(strings)
    return (
        data[: match.start()] + rng.choice(RAW_TEXTS).encode("utf-8", "surrogatepass") + data[match.end() :]
    )


def _cut(data: bytes, rng: Random) -> bytes:
    first, second = sorted((rng.randint(0, len(data)), rng.randint(0, len(data))))
    return data[:first] if rng.random() < 0.5 else data[:first] + data[second:]


def _byte(data: bytes, rng: Random) -> bytes:
    if not data:
        return b"0"
    at = rng.randrange(len(data))
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def _ends(data: bytes, rng: Random) -> bytes:
    """Put something before or after the value."""
    piece = rng.choice([*_SPACES, b"{}", b",", b"null", b"0", b"\xef\xbb\xbf"])
    return piece + data if rng.random() < 0.5 else data + piece


def _repeat(data: bytes, rng: Random) -> bytes:
    """Write a piece twice, which makes members and items of the same text."""
    marks = [match.start() for match in re.finditer(rb"[,{\[]", data)]
    if len(marks) < 2:
        return data + data
    first, second = sorted(rng.sample(marks, 2))
    if second - first > 400:
        second = min(mark for mark in marks if mark > first)
    return data[:second] + data[first:second] + data[second:]
