"""For each keyword of a JSON Schema, a document that violates this keyword and no other."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vectors.kit.canonical import canonical
from vectors.kit.schema_sites import Site, Steps, is_of, matches, sample, sites
from vectors.kit.splice import NUMBER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = Any

IGNORED = {
    "$schema",
    "$id",
    "$comment",
    "title",
    "description",
    "$defs",
    "items",
    "propertyNames",
    "properties",
}
"""Annotations, and keywords that lead to schemas, which a violation of one of those violates too."""

LONGEST_WRITTEN_OUT = 100
"""Number of items above which a repetition is stated, and not written out."""


@dataclass(frozen=True)
class Repetition:
    """Items or members to insert at the beginning of an array or object; `text` ends in a comma."""

    steps: Steps
    text: str
    count: int


@dataclass(frozen=True)
class Breach:
    """A document that violates one keyword, once the repetition is inserted.

    place: where the keyword is in the file of the schema; a member of `required` has an index.
    keyword: its name. comment: the `$comment` of the same schema.
    """

    place: Steps
    keyword: str
    comment: str | None
    document: Json
    repetition: Repetition | None = None

    @property
    def words(self) -> str:
        """The place as words, such as `tensor shape max items`."""
        words = " ".join(str(step) for step in self.place if step not in {"$defs", "properties"})
        return re.sub("([A-Z])", r" \1", words).lower()


def breaches(schema: dict[str, Json], document: Json) -> Iterator[Breach]:
    """Yield a breach for each keyword that the document reaches, at the first value that suits it."""
    seen: set[Steps] = set()
    for site in sites(schema, document):
        for keyword in [name for name in site.schema if name not in IGNORED]:
            for place, value in _changes(keyword, site):
                if place not in seen:
                    seen.add(place)
                    breaker = _Breaker(site, document)
                    comment = site.schema.get("$comment")
                    yield Breach(place, keyword, comment, *breaker.broken(value))


def _changes(keyword: str, site: Site) -> Iterator[tuple[Steps, Json]]:
    """Yield the places of a keyword, each with a value that violates it."""
    place, limit, value = (*site.place, keyword), site.schema[keyword], site.value
    if keyword == "required":
        for name in limit if isinstance(value, dict) else ():
            yield (*place, name), {key: member for key, member in value.items() if key != name}
    elif keyword in {"maxItems", "maxProperties"}:
        yield place, TooMany(limit + 1 - len(value))
    else:
        other = _violation(keyword, site)
        if other is not value:
            yield place, other


@dataclass(frozen=True)
class TooMany:
    """A number of items or members to add."""

    count: int


@dataclass(frozen=True)
class _Breaker:
    site: Site
    document: Json

    def broken(self, value: Json) -> tuple[Json, Repetition | None]:
        """Return the document with another value at the site, or with items to be inserted there."""
        if not isinstance(value, TooMany):
            return self.changed(value), None
        if value.count > LONGEST_WRITTEN_OUT:
            return self.document, self.repetition(value.count)
        items = self.repetition(value.count).text
        added = "".join(items.replace(NUMBER, f"{number:06d}") for number in range(value.count))
        return self.changed([*json.loads(f"[{added[:-1]}]"), *self.site.value]), None

    def changed(self, value: Json) -> Json:
        """Return the document with another value, or another name, at the site."""
        document = json.loads(json.dumps(self.document))
        if not self.site.steps:
            return value
        *parents, last = self.site.steps
        parent: Json = document
        for step in parents:
            parent = parent[step]
        if self.site.named:
            parent[value] = parent.pop(last)
        elif isinstance(parent, list):
            parent[int(last) :] = [value, *parent[int(last) + 1 :]]
        else:
            parent[last] = value
        return document

    def repetition(self, count: int) -> Repetition:
        """Return further items or members, which a schema accepts."""
        schema, value = self.site.schema, self.site.value
        if isinstance(value, dict):
            name = next(name for name in (f"0{NUMBER}", f"A{NUMBER}") if self.accepts(name))
            text = f'"{name}":{canonical(next(iter(value.values())))},'
        else:
            text = f"{canonical(value[0] if value else sample(schema['items']))},"
            if schema.get("uniqueItems"):
                text = f"{self.distinct_item()},"
        return Repetition(self.site.steps, text, count)

    def distinct_item(self) -> str:
        """Return the text of an item that differs from repetition to repetition."""
        value, items = self.site.value, self.site.schema["items"]
        if value and isinstance(value[0], int):
            return f"1{NUMBER}"
        return canonical(_numbered(value[0] if value else sample(items), items["pattern"]))

    def accepts(self, name: str) -> bool:
        """Return whether the names of the members begin with such a character."""
        return any(known[0].isdigit() == name[0].isdigit() for known in self.site.value) or name[0] == "A"


def _violation(keyword: str, site: Site) -> Json:
    """Return a value that violates one keyword alone; the value itself if it does not suit the keyword."""
    schema, value = site.schema, site.value
    if keyword == "type" and site.named:
        return value
    if keyword == "$ref":
        return "-" if site.named else None
    if keyword in {"minimum", "maximum", "multipleOf"}:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return _number(keyword, schema) if number else value
    if keyword == "additionalProperties":
        closed = schema[keyword] is False and isinstance(value, dict)
        return {**value, "unknown": 0} if closed else value
    return VIOLATIONS[keyword](schema, value)


def _number(keyword: str, schema: dict[str, Json]) -> float:
    limit: float = schema[keyword]
    step: int = schema.get("multipleOf", 1)
    if keyword == "multipleOf":
        return int(schema["minimum"]) + 1
    if "integer" in schema["type"]:
        return int(limit) + (step if keyword == "maximum" else -step)
    if keyword == "maximum":
        return 2 * limit
    return limit / 2 if limit > 0 else 2 * limit or -1


VIOLATIONS: dict[str, Callable[[dict[str, Json], Json], Json]] = {
    "type": lambda schema, _: next(value for value in (None, "a", True) if not is_of(value, schema["type"])),
    "const": lambda *_: "other",
    "enum": lambda *_: "other",
    "pattern": lambda schema, _: next(
        text for text in ("-", "\u00e9") if not matches(schema["pattern"], text)
    ),
    "minLength": lambda *_: "",
    "maxLength": lambda schema, value: (
        _stretched(value, "a" * (schema["maxLength"] + 1 - len(value)), schema.get("pattern", ".*"))
        if isinstance(value, str)
        else value
    ),
    "minItems": lambda schema, value: value[: schema["minItems"] - 1],
    "uniqueItems": lambda schema, value: 2 * (value[:1] or [sample(schema["items"])]),
    "minProperties": lambda *_: {},
}
"""For a keyword, a function of schema and value that returns a value which violates the keyword."""


def _stretched(text: str, more: str, pattern: str) -> str:
    """Return a text with something inserted, where the pattern still matches."""
    candidates = (text[:at] + more + text[at:] for at in range(len(text), -1, -1))
    return next(candidate for candidate in candidates if matches(pattern, candidate))


def _numbered(text: str, pattern: str) -> str:
    """Return a text with the number of a repetition inserted, where the pattern still matches."""
    return _stretched(text, "000000", pattern).replace("000000", NUMBER)
