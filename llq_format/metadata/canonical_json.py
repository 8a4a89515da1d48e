"""The JSON of LLQ: a strict parser and the RFC 8785 form (spec: Metadata, JSON; Canonical encoding)."""

import json
import math
import re
from typing import Any, NoReturn

import rfc8785

from llq_format.metadata.findings import Finding, Place

MAX_DEPTH = 32
MAX_INTEGER = (1 << 53) - 1
_MAX_DIGITS = (
    400  # longer literals are refused unread: numbers below 2^1024 have fewer digits before the point
)
_WHITE_SPACE = " \t\n\r"
# Possessive, so that a string of 16 MiB leaves no places to come back to.
_BRACKET_OR_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)


def canonical(value: Any) -> bytes:
    """Return the RFC 8785 serialization of a JSON value."""
    return rfc8785.dumps(value)


def parse(data: bytes, file: str = "metadata.json") -> tuple[Any, list[Finding]]:
    """Parse one JSON text strictly.

    Returns the value and the findings of stage `json`, in order; the value is valid only without findings.
    Floats are numbers with fraction or exponent, ints are those without.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = f"{data[error.start]:02X}"
        return None, [Finding("invalid-utf8", Place(file=file, offset=error.start), {"byte": byte})]
    if text.startswith("\ufeff"):
        return None, [Finding("byte-order-mark", Place(file=file, offset=0))]
    deep = _too_deep(text)
    if deep is not None:
        place = Place(file=file, offset=_byte_offset(text, deep))
        return None, [Finding("nesting-too-deep", place, {"level": MAX_DEPTH + 1, "maximum": MAX_DEPTH})]
    return _Parser(file).parse(text)


def _too_deep(text: str) -> int | None:
    """Return the offset of a bracket that opens level 33, or None. Brackets are counted before parsing."""
    depth = 0
    for token in _BRACKET_OR_STRING.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                return token.start()
        elif token[0] in "]}":
            depth -= 1
    return None


def _byte_offset(text: str, index: int) -> int:
    return len(text[:index].encode("utf-8", "surrogatepass"))


class _Parser:
    """The standard library's parser with hooks for errors that it accepts."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.findings: list[Finding] = []

    def parse(self, text: str) -> tuple[Any, list[Finding]]:
        try:
            value = json.loads(
                text,
                object_pairs_hook=self._object,
                parse_int=self._integer,
                parse_float=self._number,
                parse_constant=self._constant,
            )
            if text[0] in _WHITE_SPACE or text[-1] in _WHITE_SPACE:
                where = 0 if text[0] in _WHITE_SPACE else len(text) - 1
                self._add("surrounding-white-space", where)
        except json.JSONDecodeError as error:
            place = Place(file=self.file, offset=_byte_offset(text, error.pos))
            values = {"problem": error.msg, "text": text[error.pos : error.pos + 16]}
            return None, [Finding("invalid-json", place, values)]
        self._check_strings(value)
        return value, sorted(self.findings, key=lambda finding: finding.order)

    def _add(self, code: str, offset: int | None = None, **values: Any) -> None:
        self.findings.append(Finding(code, Place(file=self.file, offset=offset), values))

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for name, value in pairs:
            if name in members:
                self._add("duplicate-member", name=name)
            members[name] = value
            self._check_strings(name)
            self._check_strings(value)
        return members

    def _integer(self, literal: str) -> int:
        if len(literal) > _MAX_DIGITS or abs(int(literal)) > MAX_INTEGER:
            self._add("integer-too-large", literal=literal, maximum=MAX_INTEGER)
            return 0
        return int(literal)

    def _number(self, literal: str) -> float:
        value = float(literal)
        if not math.isfinite(value):
            self._add("number-not-finite", literal=literal)
            return 0.0
        return value

    def _constant(self, literal: str) -> NoReturn:
        raise json.JSONDecodeError(f"{literal} is not JSON", literal, 0)

    def _check_strings(self, value: Any) -> None:
        """Check a string or the strings of an array; the strings of objects are already checked."""
        if isinstance(value, list):
            for item in value:
                self._check_strings(item)
        elif isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
            self._add("lone-surrogate", text=value)
