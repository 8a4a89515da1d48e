"""JSON as chapter Metadata reads it: RFC 8259 by a parser of its own, and the rules JSON-1 to JSON-6."""

from __future__ import annotations

import re
from typing import Any

MAX_LEVEL = 32
MAX_INTEGER = 2**53 - 1
# One token of RFC 8259; what does not match is no JSON. White space is part of the token that follows it.
_TOKEN = re.compile(
    r"""[ \t\n\r]*(?:
    (?P<mark>[\[\]{},:])
    |(?P<string>"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+")
    |(?P<number>(?P<integer>-?(?:0|[1-9][0-9]*+))(?P<rest>(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?))
    |(?P<word>true|false|null)
    )""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))')
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS = {"true": True, "false": False, "null": None}
_LONE = re.compile("[\ud800-\udfff]")


class Fraction(float):
    """A number that is written with a fraction or an exponent."""


class _NotJsonError(Exception):
    """The text does not follow the grammar."""


def read(data: bytes) -> tuple[Any, set[str]]:
    """Return the value of a JSON text and the rules that it violates; without any, the value is valid."""
    if data.startswith(b"\xef\xbb\xbf"):
        return None, {"JSON-1"}
    try:
        text = data.decode("utf-8", "strict")
    except UnicodeDecodeError:
        return None, {"JSON-1"}
    if _deepest(text) > MAX_LEVEL:
        return None, {"JSON-4"}
    parser = _Parser(text)
    try:
        value = parser.whole()
    except _NotJsonError:
        return None, {"JSON-2"}
    return value, parser.violations


def _deepest(text: str) -> int:
    """Return the deepest level of a text, counted before the grammar is known (JSON-7)."""
    level = deepest = at = 0
    while at < len(text):
        character = text[at]
        if character == '"':
            at = _end_of_string(text, at)
        elif character in "[{":
            level += 1
            deepest = max(deepest, level)
        elif character in "]}":
            level -= 1
        at += 1
    return deepest


def _end_of_string(text: str, begin: int) -> int:
    """Return the index of the quotation mark that ends a string, or the length of the text."""
    at = text.find('"', begin + 1)
    while at != -1:
        backslashes = at - len(text[begin + 1 : at].rstrip("\\")) - begin - 1
        if backslashes % 2 == 0:
            return at
        at = text.find('"', at + 1)
    return len(text)


class _Parser:
    """A parser that goes from token to token."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.violations: set[str] = set()

    def whole(self) -> Any:
        """Return the value of a text that is one value, with nothing around it."""
        if self.text[:1] in (" ", "\t", "\n", "\r"):
            raise _NotJsonError
        value = self.value(self.token())
        if self.at != len(self.text):
            raise _NotJsonError
        return value

    def token(self) -> re.Match[str]:
        match = _TOKEN.match(self.text, self.at)
        if match is None:
            raise _NotJsonError
        self.at = match.end()
        return match

    def value(self, token: re.Match[str]) -> Any:
        mark = token["mark"]
        if mark == "{":
            return self.members()
        if mark == "[":
            return self.items()
        if mark is not None:
            raise _NotJsonError
        if token["string"] is not None:
            return self.string(token["string"])
        return _WORDS[token["word"]] if token["word"] is not None else self.number(token)

    def members(self) -> dict[str, Any]:
        members: dict[str, Any] = {}
        token = self.token()
        if token["mark"] == "}":
            return members
        while True:
            if token["string"] is None:
                raise _NotJsonError
            name = self.string(token["string"])
            if self.token()["mark"] != ":":
                raise _NotJsonError
            if name in members:
                self.violations.add("JSON-3")
            members[name] = self.value(self.token())
            mark = self.token()["mark"]
            if mark == "}":
                return members
            if mark != ",":
                raise _NotJsonError
            token = self.token()

    def items(self) -> list[Any]:
        items: list[Any] = []
        token = self.token()
        if token["mark"] == "]":
            return items
        while True:
            items.append(self.value(token))
            mark = self.token()["mark"]
            if mark == "]":
                return items
            if mark != ",":
                raise _NotJsonError
            token = self.token()

    def number(self, token: re.Match[str]) -> int | float:
        if token["rest"]:
            value = Fraction(token["number"])
            if value in (float("inf"), float("-inf")):
                self.violations.add("JSON-5")
            return value
        literal = token["integer"]
        if len(literal) > 17 or abs(int(literal)) > MAX_INTEGER:  # 2^53 has 16 digits
            self.violations.add("JSON-5")
            return 0
        return int(literal)

    def string(self, literal: str) -> str:
        body = literal[1:-1]
        if "\\" in body:
            units = _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else _SHORT.get(m[2], m[2]), body)
            body = units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
            if _LONE.search(body):
                self.violations.add("JSON-6")
        return body
