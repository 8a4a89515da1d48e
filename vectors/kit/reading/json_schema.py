"""JSON Schema as chapter Metadata reads it: the rules META-1 to META-5, and those that a schema names."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vectors.kit.reading.json_grammar import Fraction

if TYPE_CHECKING:
    from collections.abc import Iterator

SPECIFICATION = Path(__file__).resolve().parents[3] / "spec"
Json = Any


@cache
def schema(name: str) -> Json:
    """Return a schema of the specification."""
    return json.loads((SPECIFICATION / "schema" / f"{name}.schema.json").read_text(encoding="utf-8"))


@cache
def _pattern(source: str) -> re.Pattern[str]:
    """Return a pattern of ECMA-262, in which $ is the end of the text only."""
    return re.compile(source.replace("$", r"\Z"), re.ASCII)


def check(root: Json, value: Json) -> Iterator[str]:
    """Yield the rule of each violation of a schema."""
    yield from _Check(root.get("$defs", {})).value(root, value)


class _Check:
    """The check of a value against a schema with definitions."""

    def __init__(self, definitions: Json) -> None:
        self.definitions = definitions

    def resolved(self, node: Json) -> Json:
        """Return the schema that a reference denotes."""
        return self.definitions[node["$ref"].removeprefix("#/$defs/")] if "$ref" in node else node

    def value(self, node: Json, value: Json) -> Iterator[str]:
        """Yield violations of a value: of its type, or else of everything else (META-6)."""
        node = self.resolved(node)
        types = node.get("type", [])
        types = types if isinstance(types, list) else [types]
        if types and not any(_is(value, kind) for kind in types):
            yield "META-4" if "integer" in types and isinstance(value, Fraction) else "META-3"
            return
        if not _satisfies(node, value):
            yield node.get("$comment", "META-5").removeprefix("LLQ-")
        if isinstance(value, list) and "items" in node:
            for item in value:
                yield from self.value(node["items"], item)
        if isinstance(value, dict):
            yield from self.members(node, value)

    def members(self, node: Json, value: dict[str, Json]) -> Iterator[str]:
        """Yield violations of an object's members."""
        properties, others = node.get("properties", {}), node.get("additionalProperties", True)
        if not set(node.get("required", ())) <= value.keys():
            yield "META-2"
        for name, member in value.items():
            if "propertyNames" in node:
                names = self.resolved(node["propertyNames"])
                if not _satisfies(names, name):
                    yield names.get("$comment", "META-5").removeprefix("LLQ-")
            if name in properties:
                yield from self.value(properties[name], member)
            elif others is False:
                yield "META-1"
            elif others is not True:
                yield from self.value(others, member)


def _is(value: Json, kind: str) -> bool:
    """Whether a value has a type; an integer is written as digits alone."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return {
        "integer": number and not isinstance(value, float),
        "number": number,
        "boolean": isinstance(value, bool),
        "null": value is None,
        "string": isinstance(value, str),
        "array": isinstance(value, list),
        "object": isinstance(value, dict),
    }[kind]


def _satisfies(node: Json, value: Json) -> bool:
    """Whether a value of the right type satisfies the keywords that concern the value alone."""
    if ("const" in node and value != node["const"]) or ("enum" in node and value not in node["enum"]):
        return False
    if isinstance(value, str):
        return _within(node, "Length", len(value)) and _matches(node, value)
    if isinstance(value, list):
        return _within(node, "Items", len(value)) and not (node.get("uniqueItems") and _repeats(value))
    if isinstance(value, dict):
        return _within(node, "Properties", len(value))
    if isinstance(value, bool) or value is None:
        return True
    return _within(node, "imum", value) and value % node.get("multipleOf", value or 1) == 0


def _within(node: Json, keyword: str, amount: float) -> bool:
    """Whether an amount is between two keywords such as minLength and maxLength."""
    return bool(node.get(f"min{keyword}", amount) <= amount <= node.get(f"max{keyword}", amount))


def _matches(node: Json, value: str) -> bool:
    return "pattern" not in node or _pattern(node["pattern"]).search(value) is not None


def _repeats(items: list[Json]) -> bool:
    """Whether two items are equal as values of JSON."""
    texts = [json.dumps(item, sort_keys=True) for item in items]
    return len(set(texts)) < len(texts)
