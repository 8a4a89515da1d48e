"""Tables of the chapters against the schemas: every limit, choice and pattern of a schema is in a table."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.chapters import CHAPTERS, blocks
from tests.support.repository import ROOT

Schema = dict[str, Any]

SCHEMAS: dict[str, Schema] = {
    name: json.loads((ROOT / f"spec/schema/{name}.schema.json").read_text(encoding="utf-8"))
    for name in ("metadata", "program", "attention_affine")
}
TABLES = [
    ("metadata", "", "LLQ-META-7"),
    ("metadata", "file", "LLQ-META-9"),
    ("metadata", "tensor", "LLQ-META-11"),
    ("metadata", "part", "LLQ-META-12"),
    ("metadata", "model", "LLQ-META-13"),
    ("metadata", "attention", "LLQ-META-14"),
    ("metadata", "ffn", "LLQ-META-15"),
    ("attention_affine", "layer", "LLQ-AFFINE-6"),
    ("program", "", "LLQ-PROG-30"),
    ("program", "variant", "LLQ-PROG-31"),
    ("program", "range", "LLQ-PROG-33"),
    ("program", "buffer", "LLQ-PROG-35"),
    ("program", "dispatch", "LLQ-PROG-40"),
]
"""Schema, definition (empty: the root) and the rule whose table describes its members."""

NAMED = {
    "sha256": "64 lower-case hexadecimal digits",
    "file_name": "as PKG-3 states",
    "tensor_name": "as TENSOR-1 states",
    "extension_names": "array of 0 to 64 extension names, unique",
    "pass": "each an array of 1 to 262,144 *dispatches*",
    "entry_point": "a name of an entry point",
}
"""What tables say of a value that a definition describes."""

OTHERWISE = {
    "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$": "1 to 64 characters, `^[A-Za-z0-9][A-Za-z0-9._-]*$`",
    "^[\\x20-\\x7E]*$": "characters 20 to 7E",
}
"""Patterns that a table states in other words."""

TEXTS_OF_DEFINITIONS = [
    ("metadata", "file_name", "LLQ-PKG-3"),
    ("metadata", "tensor_name", "LLQ-TENSOR-1"),
    ("attention_affine", "", "LLQ-AFFINE-6"),
    ("program", "resource_name", "LLQ-PROG-30"),
    ("program", "entry_point", "LLQ-PROG-30"),
    ("program", "word", "LLQ-PROG-39"),
    ("program", "dimension", "LLQ-PROG-40"),
]
"""Definitions without a table, and the rule whose text or list describes them."""


RANGES = {
    ("minimum", "maximum"): "{}",
    ("minItems", "maxItems"): "array of {}",
    ("minProperties", "maxProperties"): "object of {} members",
    ("minLength", "maxLength"): "{} characters",
}
"""Keywords that limit a value, and the words of a table for both."""


def section(rule: str) -> str:
    """Return the text of a rule with the tables and lists that belong to it."""
    for text in CHAPTERS.values():
        found = blocks(text)
        for index, block in enumerate(found):
            if block.rule == rule:
                end = index + 1
                while found[end].kind in {"table", "list"}:
                    end += 1
                return "\n".join(line for part in found[index:end] for line in part.lines)
    raise AssertionError(rule)


def rows(rule: str) -> dict[str, str]:
    """Return the rows of a table by the names in their first cells."""
    lines = re.findall(r"^\| (`.*?) \| (.*)$", section(rule), re.MULTILINE)
    return {name: rest for first, rest in lines for name in re.findall(r"`(\w+)`", first)}


def facts(schema: Schema) -> Iterator[str]:
    """Yield what the description of a value has to contain."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        yield from [NAMED[name]] if name in NAMED else []
        return
    yield from own_facts(schema)
    children = [
        schema.get("items"),
        schema.get("additionalProperties"),
        *schema.get("properties", {}).values(),
    ]
    for child in children:
        yield from facts(child) if isinstance(child, dict) else ()


def own_facts(schema: Schema) -> Iterator[str]:
    """Yield what the description of a value has to contain, without its items and members."""
    yield from (f"`{value}`" for value in schema.get("enum", [schema["const"]] if "const" in schema else []))
    for keyword, words in RANGES.items():
        least, greatest = keyword
        if greatest in schema:
            yield words.format(limits(schema, least, greatest))
    if "multipleOf" in schema:
        yield "even" if schema["multipleOf"] == 2 else f"multiple of {schema['multipleOf']}"
    if "uniqueItems" in schema:
        yield "unique"
    if "pattern" in schema:
        escaped = schema["pattern"].replace("|", "\\|")
        yield OTHERWISE.get(schema["pattern"], f"`{escaped}`")


def limits(schema: Schema, least: str, greatest: str) -> str:
    """Return a range as the tables write it."""
    if greatest == "maxLength" and least not in schema:
        return f"at most {schema[greatest]:,}"
    low, high = schema.get(least, 0), schema[greatest]
    if low == -high:
        return f"magnitude of at most {high}".replace("e+", "e")
    if (low, high) == (1, 2):
        return "1 or 2"
    return f"{high}" if low == high else f"{low:,} to {high:,}"


def described(name: str, definition: str) -> Schema:
    return SCHEMAS[name]["$defs"][definition] if definition else SCHEMAS[name]


@pytest.mark.parametrize(("name", "definition", "rule"), TABLES)
def test_a_table_states_every_limit_of_the_schema(name: str, definition: str, rule: str) -> None:
    schema, table = described(name, definition), rows(rule)
    assert set(table) >= set(schema["properties"])
    for member, value in schema["properties"].items():
        text = table[member] + (section("LLQ-PROG-39") if member == "parameters" else "")
        assert [fact for fact in facts(value) if fact not in text] == [], member


def test_the_table_of_the_tokenizer_adds_to_that_of_a_file() -> None:
    schema, table = described("metadata", "tokenizer"), rows("LLQ-META-10")
    file = described("metadata", "file")["properties"]
    for member, value in schema["properties"].items():
        if member in file:
            assert value == file[member]
        else:
            assert [fact for fact in facts(value) if fact not in table[member]] == []


@pytest.mark.parametrize(("name", "definition", "rule"), TEXTS_OF_DEFINITIONS)
def test_a_text_states_every_limit_of_a_definition(name: str, definition: str, rule: str) -> None:
    text = section(rule)
    assert [fact for fact in facts(described(name, definition)) if fact not in text] == []


def test_the_chapter_states_the_pattern_of_extension_names() -> None:
    pattern = described("metadata", "extension_names")["items"]["pattern"]
    assert f"An extension name matches `{pattern}`" in CHAPTERS["metadata.md"]
    assert described("metadata", "extensions")["propertyNames"] == {"pattern": pattern}
