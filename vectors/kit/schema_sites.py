"""The values of a document, each with the part of a JSON Schema that it has to satisfy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = Any
Steps = tuple[str | int, ...]
Schema = dict[str, Json]

SAMPLES: tuple[Json, ...] = ("a", "enable f16;", "XX_a", 1, {})
"""Values for items of empty arrays; the first that suits is taken."""

PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


@dataclass(frozen=True)
class Site:
    """A value of a document and its schema.

    place: where `schema` is in the file of the schema. steps: where `value` is in the document.
    named: whether the value is the name of the member at `steps`, and not its value.
    """

    place: Steps
    schema: Schema
    steps: Steps
    value: Json
    named: bool = False


def is_of(value: Json, types: str | list[str]) -> bool:
    """Return whether a value has one of some types of JSON Schema."""
    if isinstance(value, bool):
        return "boolean" in types
    names = [types] if isinstance(types, str) else types
    return any(isinstance(value, PYTHON_TYPES[name]) for name in names)


def matches(pattern: str, text: str) -> bool:
    """Return whether a text matches a pattern that is anchored at both ends."""
    return re.fullmatch(pattern.removeprefix("^").removesuffix("$"), text) is not None


def sample(schema: Schema) -> Json:
    """Return a value of a type and pattern; a schema that is a reference has a name as its sample."""
    return next(
        value
        for value in SAMPLES
        if is_of(value, schema.get("type", "string"))
        and ("pattern" not in schema or matches(schema["pattern"], value))
    )


def sites(schema: Schema, document: Json) -> Iterator[Site]:
    """Yield the sites of a document, parents before children."""
    yield from _Walk(schema["$defs"]).value(Site((), schema, (), document))


@dataclass(frozen=True)
class _Walk:
    definitions: dict[str, Schema]

    def value(self, site: Site) -> Iterator[Site]:
        yield site
        if "$ref" in site.schema:
            name = site.schema["$ref"].rpartition("/")[2]
            yield from self.value(
                Site(("$defs", name), self.definitions[name], site.steps, site.value, site.named)
            )
        elif isinstance(site.value, list) and "items" in site.schema:
            yield from self.items(site)
        elif isinstance(site.value, dict):
            yield from self.members(site)

    def items(self, site: Site) -> Iterator[Site]:
        schema, place = site.schema["items"], (*site.place, "items")
        for index, item in enumerate(site.value or [sample(schema)]):
            yield from self.value(Site(place, schema, (*site.steps, index), item))

    def members(self, site: Site) -> Iterator[Site]:
        properties = site.schema.get("properties", {})
        others = site.schema.get("additionalProperties")
        for name, value in site.value.items():
            steps = (*site.steps, name)
            if "propertyNames" in site.schema:
                names = (*site.place, "propertyNames")
                yield from self.value(Site(names, site.schema["propertyNames"], steps, name, named=True))
            if name in properties:
                yield from self.value(Site((*site.place, "properties", name), properties[name], steps, value))
            elif isinstance(others, dict):
                yield from self.value(Site((*site.place, "additionalProperties"), others, steps, value))
