"""Every keyword of both schemas, at each of its places, is violated alone by a vector."""

import json
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator, TypeChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from tests.support.repository import ROOT, VECTORS
from vectors.cases.keywords import UNREACHABLE, all_breaches
from vectors.kit.schema_breach import IGNORED
from vectors.kit.schema_sites import matches
from vectors.kit.splice import applied

Json = Any
Place = tuple[str | int, ...]
RULES = {
    "metadata": {*(f"LLQ-META-{n}" for n in range(1, 6)), "LLQ-PKG-3", "LLQ-TENSOR-1"},
    "program": {"LLQ-PROG-3", "LLQ-PROG-4"},
}


def integer(_checker: TypeChecker, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def pattern(_validator: Any, expected: str, value: object, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and not matches(expected, value):
        yield ValidationError(f"{value!r} does not match {expected!r}")


STRICT: Any = extend(  # type: ignore[no-untyped-call]  # untyped in the stubs
    Draft202012Validator,
    validators={"pattern": pattern},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", integer),
)
"""The validator as META-4 and META-5 read integers and patterns."""


@cache
def schema(name: str) -> dict[str, Json]:
    value: dict[str, Json] = json.loads((ROOT / f"spec/schema/{name}.schema.json").read_text())
    return value


def places(node: dict[str, Json], at: Place = ()) -> Iterator[Place]:
    """Yield where the keywords of a schema are; each member of `required` counts."""
    for keyword, value in node.items():
        if keyword in {"$defs", "properties"}:
            for name, child in value.items():
                yield from places(child, (*at, keyword, name))
        elif keyword in {"items", "propertyNames"} or (
            keyword == "additionalProperties" and isinstance(value, dict)
        ):
            yield (*at, keyword)
            yield from places(value, (*at, keyword))
        elif keyword == "required":
            yield from ((*at, keyword, name) for name in value)
        elif keyword not in IGNORED:
            yield (*at, keyword)


def errors(value: Json, root: dict[str, Json]) -> list[ValidationError]:
    """Return the violations; a value of a wrong type violates no other keyword (META-6)."""
    found = list(STRICT(root).iter_errors(value))
    mistyped = {tuple(error.absolute_path) for error in found if error.validator == "type"}
    return [e for e in found if e.validator == "type" or tuple(e.absolute_path) not in mistyped]


def violated(name: str, error: ValidationError) -> Iterator[Place]:
    """Yield the keyword that an error is about, and the keywords that lead to it."""
    node, at = schema(name), ()  # type: tuple[Any, Place]
    for step in error.absolute_schema_path:
        while "$ref" in node:
            yield (*at, "$ref")
            at = ("$defs", node["$ref"].rpartition("/")[2])
            node = schema(name)["$defs"][at[1]]
        node, at = node[step], (*at, step)
        if step == "required":
            yield from ((*at, member) for member in node if f"{member!r} is a" in error.message)
        elif at[-2:-1] != ("properties",) and step != "properties":
            yield at


@cache
def documents(name: str) -> dict[str, Json]:
    """Return the values of the described file in the vectors whose rule is about the schema."""
    found = {}
    index = json.loads((VECTORS / "index.json").read_text(encoding="utf-8"))["vectors"]
    for vector in index:
        if vector["kind"] == "invalid" and vector["rules"][0] in RULES[name]:
            data = (VECTORS / vector["path"] / f"{name}.json").read_bytes()
            for step in vector["setup"]:
                if step["op"] == "splice" and step["file"] == f"{name}.json":
                    data = applied(data, step)
            found[vector["id"]] = json.loads(data)
    return found


@cache
def shown(name: str) -> dict[Place, str]:
    """Return the keywords that a vector violates alone, each with one of the vectors."""
    found: dict[Place, str] = {}
    for vector, value in documents(name).items():
        all_errors = errors(value, schema(name))
        if len(all_errors) == 1:
            found.update(dict.fromkeys(violated(name, all_errors[0]), vector))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", RULES)
def test_every_keyword_has_a_vector(name: str) -> None:
    unreachable = {place for schema_name, place in UNREACHABLE if schema_name == name}
    assert set(places(schema(name))) - set(shown(name)) == unreachable


@pytest.mark.slow
@pytest.mark.parametrize("name", RULES)
def test_without_a_keyword_its_vector_violates_nothing_or_another_rule(name: str) -> None:
    for place, vector in shown(name).items():
        root = deepcopy(schema(name))
        *parents, last = place
        node: Any = root
        for step in parents:
            node = node[step]
        if isinstance(node, list):
            node.remove(last)
        else:
            del node[last]
        left = {error.validator for error in errors(documents(name)[vector], root)}
        assert not left or (last == "type" and left <= {"const", "enum"}), (place, vector)


@pytest.mark.parametrize("name", RULES)
def test_each_generated_breach_has_a_name_of_its_own(name: str) -> None:
    words = [breach.words for breach in all_breaches(name)]
    assert sorted(set(words)) == sorted(words)
