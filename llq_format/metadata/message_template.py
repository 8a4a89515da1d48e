"""Templates of the texts of findings: what was found and what was expected, with named values."""

import json
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_PARSER = string.Formatter()


@dataclass(frozen=True, slots=True)
class MessageTemplate:
    """A text with fields `{name}`, `{name!a}`, `{name:# noun}`, `{name:or}` and `{name:,}`.

    `!a` quotes a value from an untrusted file, `# noun` adds a noun, `or` and `,` join a
    list.
    """

    text: str

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the values, in order of appearance."""
        return tuple(name for _, name, _, _ in _PARSER.parse(self.text) if name is not None)

    @property
    def plain(self) -> str:
        """The text with bare fields, as `llq explain` prints it: `{name}`, `{name} items`."""
        pieces = []
        for literal, name, spec, _ in _PARSER.parse(self.text):
            noun = f" {spec[2:]}s" if spec and spec.startswith("# ") else ""
            pieces.append(literal + ("" if name is None else f"{{{name}}}{noun}"))
        return "".join(pieces)

    def render(self, values: Mapping[str, Any]) -> str:
        """Return the text with its fields replaced by values."""
        return _Renderer().vformat(self.text, (), values)


class _Renderer(string.Formatter):
    """The standard library's formatter with the fields of `MessageTemplate`."""

    def convert_field(self, value: Any, conversion: str | None) -> Any:
        """Return a value that `!a` marks as quoted text."""
        return shown(value) if conversion == "a" else super().convert_field(value, conversion)

    def format_field(self, value: Any, format_spec: str) -> str:
        """Return the text of a value, by the specification after the colon."""
        if format_spec.startswith("# "):
            return f"{value} {format_spec[2:]}{'' if value == 1 else 's'}"
        if format_spec in ("or", ","):
            return _join(value, " or " if format_spec == "or" else ", ")
        return str(super().format_field(value, format_spec))


def _join(items: Sequence[Any], separator: str) -> str:
    return separator.join(item if isinstance(item, str) else json.dumps(item) for item in items)


def shown(value: Any, limit: int = 80) -> str:
    """Return a JSON value from an untrusted file as short printable ASCII, without control characters."""
    text = ascii(value) if isinstance(value, str) else json.dumps(value).replace("\x7f", "\\u007f")
    return text if len(text) <= limit else f"{text[: limit - 1]}… ({len(text)} characters)"


def portable(value: Any, limit: int = 80) -> Any:
    """Return a short JSON value without lone surrogates, which any JSON parser reads.

    A longer string is cut to `limit` characters, a longer array or object becomes the beginning of its text.
    """
    if isinstance(value, str):
        text = value[: limit + 1].encode("utf-8", "backslashreplace").decode("utf-8")
        return text if len(text) <= limit else f"{text[: limit - 1]}…"
    if isinstance(value, (list, tuple, dict)):
        text = json.dumps(value)
        return json.loads(text) if len(text) <= limit else f"{text[: limit - 1]}…"
    return value
