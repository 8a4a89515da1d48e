"""The extension registry satisfies its schema, and chapter Extension registry describes its members."""

import json
import re

import jsonschema

from tests.support.repository import SPEC

REGISTRY = json.loads((SPEC / "extensions.json").read_text(encoding="utf-8"))
SCHEMA = json.loads((SPEC / "schema" / "extensions.schema.json").read_text(encoding="utf-8"))
ENTRY = SCHEMA["properties"]["extensions"]["items"]


def test_the_registry_satisfies_its_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(REGISTRY)


def test_names_are_unique() -> None:
    names = [entry["name"] for entry in REGISTRY["extensions"]]
    assert len(names) == len(set(names))


def test_the_schema_refuses_a_name_that_no_package_can_use() -> None:
    entry = {"name": "lower_case", "owner": "a", "status": "draft", "chapter": "a", "schema": None}
    entry |= {"vectors": None, "required": False, "since": "1.0"}  # type: ignore[dict-item]  # values of several types
    validator = jsonschema.Draft202012Validator(ENTRY)
    assert [error.validator for error in validator.iter_errors(entry)] == ["pattern"]
    assert validator.is_valid(entry | {"name": "LLQ_int8_tensors"})


def test_the_chapter_lists_the_members_and_the_states() -> None:
    chapter = (SPEC / "extensions.md").read_text(encoding="utf-8")
    members, states = chapter.split("## States")
    assert re.findall(r"^\| `(\w+)` \|", members, re.MULTILINE) == ENTRY["required"]
    assert re.findall(r"^\| `(\w+)` \|", states, re.MULTILINE) == ENTRY["properties"]["status"]["enum"]


def test_names_in_the_registry_are_names_in_metadata() -> None:
    text = (SPEC / "schema" / "metadata.schema.json").read_text(encoding="utf-8")
    assert json.dumps(ENTRY["properties"]["name"]["pattern"]) in text
