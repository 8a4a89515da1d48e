"""What the chapters show in tables and procedures, worked out again: examples, members, limits, placement."""

import json
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from llq_format import PackedTensor, dequantize, pack, save
from llq_format.format import layout
from llq_format.format.layout import Dtype
from llq_format.format.placement import Placed, ShardLimitError, place
from llq_format.format.record import SLOT
from llq_format.format.shard import PREAMBLE
from llq_format.metadata import canonical_json, metadata
from llq_format.metadata.specification import read_json
from llq_format.sandbox import limits as sandbox
from llq_format.validation import module, program
from tests.support import by_the_letter
from tests.support.by_the_letter import Tensor
from tests.support.invented_packages import DTYPES
from tests.support.repository import SPEC, VECTORS

PROGRAM: dict[str, Any] = read_json("schema/program.schema.json")["$defs"]
SCHEMA: dict[str, Any] = json.loads((SPEC / "schema/metadata.schema.json").read_text(encoding="utf-8"))


def chapter(name: str) -> str:
    return (SPEC / name).read_text(encoding="utf-8")


def tables(text: str) -> list[list[dict[str, str]]]:
    """Return the tables of a text, each row by the heads of its columns."""
    tables_of_text = []
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in block.splitlines()]
        tables_of_text.append([dict(zip(rows[0], row, strict=True)) for row in rows[2:]])
    return tables_of_text


def section(text: str, heading: str) -> str:
    """Return the text under a heading."""
    match = re.search(rf"(?s)\n{heading}(?: \(informative\))?\n(.*?)(?=\n#|\Z)", text)
    assert match, heading
    return match[1]


# ---- Packing: the worked example ----

CODES = np.array([[(r + 3 * c) % 16 for c in range(64)] for r in range(64)], np.uint8)
EXAMPLE = PackedTensor((64, 64), np.array([0.5], np.float16), np.array([-3], np.int8), pack(CODES)[None])


def test_the_shard_of_the_worked_example_is_the_librarys(tmp_path: Path) -> None:
    written = save(tmp_path / "p", {"w": EXAMPLE})
    assert written.shard_limit == 268435456
    data = (tmp_path / "p" / written.shards[0].file).read_bytes()
    assert len(data) == 3072
    rows = tables(section(chapter("packing.md"), "## Worked example"))[1]
    assert len(rows) >= 18
    for row in rows:
        text, times = (*row["bytes"].split(" × "), "1")[:2]
        expected = bytes.fromhex(text) * int(times)
        offset = int(row["offset"])
        assert data[offset : offset + len(expected)] == expected, row


def test_the_bytes_of_both_planes_in_the_worked_example_are_worked_out_right() -> None:
    packed = pack(CODES)
    rows = tables(section(chapter("packing.md"), "## Worked example"))[0]
    assert len(rows) == 5
    for row in rows:
        first, last = (int(number) for number in re.findall(r"\d+", row["elements"])[:2])
        codes = CODES.ravel()[first : last + 1].tolist()
        assert row["codes"] == " ".join(str(q) for q in codes)
        assert row["low bits"] == " ".join(str(q & 3) for q in codes)
        assert row["high bits"] == " ".join(str(q >> 2) for q in codes)
        for head, plane in (("byte of the low plane", 0), ("byte of the high plane", 1024)):
            *sums, byte = row[head].split(" = ")
            assert f"{packed[plane + first // 4]:02X}" == byte
            for terms in sums:
                products = [[int(factor) for factor in term.split("·")] for term in terms.split(" + ")]
                assert sum(product[0] * (product[1:] or [1])[0] for product in products) == int(byte, 16)


def test_the_weights_of_the_worked_example_are_worked_out_right() -> None:
    text = section(chapter("packing.md"), "## Worked example")
    listed = re.search(r"The weights of row 0 are [^=]*= ([\d., ]+), …", text)
    assert listed
    expected = [float(number) for number in listed[1].split(", ")]
    assert EXAMPLE.dequantize()[0, : len(expected)].tolist() == expected


def two_bits(values: list[int]) -> int:
    return sum(value << 2 * place_ for place_, value in enumerate(values))


Q = CODES.tolist()
FIRST_BYTES: dict[str, Callable[[], int]] = {
    "nibble pairs, even column in the low nibble": lambda: Q[0][0] | Q[0][1] << 4,
    "nibble pairs, even column in the high nibble": lambda: Q[0][0] << 4 | Q[0][1],
    "split halves": lambda: Q[0][0] | Q[0][32] << 4,
    "four planes of one bit": lambda: sum((Q[0][c] & 1) << c for c in range(8)),
    "two planes, high plane first": lambda: two_bits([q >> 2 for q in Q[0][:4]]),
    "two planes, first element at the most significant bits": lambda: two_bits([q & 3 for q in Q[0][3::-1]]),
    "two planes, columns before rows": lambda: two_bits([Q[r][0] & 3 for r in range(4)]),
    "the two planes of each row side by side": lambda: two_bits([q & 3 for q in Q[0][:4]]),
}


def test_the_rejected_readings_give_the_bytes_that_the_table_shows() -> None:
    (rows,) = tables(section(chapter("packing.md"), "## Rejected readings"))
    assert len(rows) == len(FIRST_BYTES)
    correct = f"{pack(CODES)[0]:02X}"
    for row, (name, first_byte) in zip(rows, FIRST_BYTES.items(), strict=True):
        first, *further = row["byte 0 of the example's block would be"].split(", ")
        assert row["reading"].startswith(name)
        assert first == f"{first_byte():02X}"
        assert first != correct or further, "a later byte distinguishes the readings"


# ---- Dequantization ----


def test_the_examples_of_dequantization_are_exact() -> None:
    (rows,) = tables(section(chapter("dequantization.md"), "## Examples"))
    assert len(rows) == 6
    for row in rows:
        scale_bits = int(row["scale bits"][:4], 16)
        zero_point, code = int(row["zero_point"].replace("−", "-")), int(row["code"])
        value = by_the_letter.weight(scale_bits, zero_point, code)
        bits = by_the_letter.binary32_bits(value)
        assert row["binary32 bits"] == f"{bits:08X}"
        assert_shown(row["weight"], value)
        assert_shown(row["scale bits"][6:-1], by_the_letter.binary16(scale_bits))
        block = np.full((1, 64, 64), code, np.uint8)
        scales = np.array([scale_bits], np.uint16).view(np.float16)
        weights: NDArray[np.float32] = dequantize(
            scales, np.array([zero_point], np.int8), pack(block), (1, 1)
        )
        assert weights.view(np.uint32).tolist() == [[bits]]


def assert_shown(text: str, value: Fraction) -> None:
    """Assert that a number is shown exactly, as a power, or cut off after nine decimals."""
    text = text.replace("−", "-")
    if "^" in text:
        base, exponent = text.split("^")
        assert Fraction(base) ** int(exponent) == value
    else:
        decimals = len(text.partition(".")[2])
        assert Fraction(text) == value or (decimals == 9 and abs(Fraction(text) - value) < Fraction(1, 10**9))


# ---- Shards and records ----


@pytest.mark.parametrize(
    ("heading", "head", "struct"),
    [("## Preamble", "offset", PREAMBLE), ("## PackedWeight record", "offset in the slot", SLOT)],
)
def test_fields_are_where_the_tables_have_them(heading: str, head: str, struct: Any) -> None:
    rows = next(
        rows
        for rows in tables(section(chapter("records.md"), heading))
        if head in rows[0] and "field" in rows[0]
    )
    offset = 0
    for row, field in zip(rows, struct.subcons, strict=True):
        name = "reserved_" + row[head] if row["field"] == "reserved" else row["field"]
        assert (int(row[head]), name) == (offset, field.name)
        offset += field.sizeof()
    assert offset == struct.sizeof() == 256


# ---- Metadata: members and their ranges ----


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with its reference followed."""
    if "$ref" in schema:
        followed: dict[str, Any] = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
        return followed
    return schema


OBJECTS = {
    "### Root": SCHEMA,
    "### File": SCHEMA["$defs"]["file"],
    "### Tokenizer": SCHEMA["$defs"]["tokenizer"],
    "### Tensor": SCHEMA["$defs"]["tensor"],
    "### Part": SCHEMA["$defs"]["part"],
    "## Model": SCHEMA["$defs"]["model"],
    "member of `attention`": SCHEMA["$defs"]["attention"],
    "member of `ffn`": SCHEMA["$defs"]["ffn"],
}


def member_rows(name: str) -> dict[str, str]:
    """Return the type column of a table of members, by member."""
    text = chapter("metadata.md")
    if name.startswith("#"):
        rows = next(rows for rows in tables(section(text, name)) if "member" in rows[0])
        head = "member"
    else:
        rows, head = next(rows for rows in tables(text) if name in rows[0]), name
    types = {member: row["type"] for row in rows for member in re.findall(r"`(\w+)`", row[head])}
    if name == "### Tokenizer":  # "The members of a *file* and:"
        types = member_rows("### File") | types
    return types


Facts = dict[str, Any]


def facts_of_words(words: str) -> Facts:
    """Return the range, choices and presence in a type column."""
    words = re.sub(r"(?<=\d),(?=\d{3})", "", words)
    facts: Facts = {"required": not words.endswith("optional") and "as at the root" not in words}
    if ranged := re.search(r"(integer|number)s?, (\S+) to ([\de.-]+)", words):
        facts["range"] = (float(ranged[2]), float(ranged[3]))
    if sized := re.match(r"array of (\d+) (?:to|or) (\d+)", words):
        facts["items"] = (int(sized[1]), int(sized[2]))
    if multiple := re.search(r"multiple of (\d+)", words):
        facts["multiple"] = int(multiple[1])
    if "even" in words:
        facts["multiple"] = 2
    facts["unique"] = "unique" in words
    facts["null"] = "null" in words
    choices = set(re.findall(r"`([a-z0-9_.]+)`", words)) if "object" not in words else set()
    facts["choices"] = choices
    facts["sha256"] = "64 lower-case hexadecimal digits" in words
    return facts


def facts_of_schema(schema: dict[str, Any], *, required: bool) -> Facts:
    """Return the same facts from the schema."""
    definition = resolve(schema)
    facts: Facts = {"required": required}
    numbers = resolve(definition["items"]) if "items" in definition else definition
    if "minimum" in numbers:
        facts["range"] = (float(numbers["minimum"]), float(numbers["maximum"]))
    if definition["type"] == "array":
        facts["items"] = (definition.get("minItems", 0), definition["maxItems"])
    if "multipleOf" in definition:
        facts["multiple"] = definition["multipleOf"]
    facts["unique"] = definition.get("uniqueItems", False)
    facts["null"] = "null" in definition["type"]
    facts["choices"] = set(definition.get("enum", []))
    facts["sha256"] = schema.get("$ref") == "#/$defs/sha256"
    return facts


@pytest.mark.parametrize("name", OBJECTS)
def test_tables_of_members_say_what_the_schema_says(name: str) -> None:
    schema, rows = OBJECTS[name], member_rows(name)
    assert set(rows) == set(schema["properties"])
    for member, words in rows.items():
        inner = resolve(schema["properties"][member])
        if "object" in inner["type"] and words.startswith(("object with", "null, or object with")):
            assert_nested(words, inner)
            continue
        expected = facts_of_schema(schema["properties"][member], required=member in schema["required"])
        assert facts_of_words(words) == expected, member


def assert_nested(words: str, schema: dict[str, Any]) -> None:
    """Assert that an object described within a cell has the members of the schema, all required."""
    members = re.findall(r"`(\w+)`(?:: | \()((?:integer|number), \S+ to [\d,.]*\d)", words)
    assert {member for member, _ in members} == set(schema["properties"]) == set(schema["required"])
    assert words.startswith("null") == ("null" in schema["type"])
    for member, inner in members:
        assert facts_of_words(inner) == facts_of_schema(schema["properties"][member], required=True)


def test_a_layer_is_described_in_words_as_the_schema_has_it() -> None:
    assert set(SCHEMA["$defs"]["layer"]["properties"]) == {"attention", "ffn"}
    assert "Each *layer* is an object with two members, `attention` and `ffn`." in chapter("metadata.md")


def test_patterns_in_the_text_are_those_of_the_schema() -> None:
    definitions = SCHEMA["$defs"]
    text = chapter("metadata.md")
    assert f"`{definitions['tensor_name']['pattern']}`" in text
    assert f"`{definitions['extension_names']['items']['pattern']}`" in text
    assert f"`{definitions['file_name']['pattern']}`" in chapter("package.md")
    stem = member_rows("### Root")["stem"]
    assert stem == "string, 1 to 64 characters, `^[A-Za-z0-9][A-Za-z0-9._-]*$`"
    assert SCHEMA["properties"]["stem"]["pattern"] == "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


# ---- Execution program: members and their limits ----

PROGRAM_OBJECTS = {
    "## Root": read_json("schema/program.schema.json"),
    "### Variant": PROGRAM["variant"],
    "### Range": PROGRAM["range"],
    "### Buffer": PROGRAM["buffer"],
    "### Dispatch": PROGRAM["dispatch"],
}
LIMITS = (
    "minimum",
    "maximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "maxLength",
    "minProperties",
    "maxProperties",
)


def limits_of(schema: dict[str, Any]) -> set[int]:
    """Return the numbers that a schema states for a value, its items and its members.

    Items that have a table or list of their own are omitted: references, and the slots of `parameters`.
    """
    own = {schema[keyword] for keyword in LIMITS if keyword in schema}
    members, items = schema.get("additionalProperties"), schema.get("items", {})
    inner = [members, None if items.get("type") == "array" else items]
    return own.union(*(limits_of(found) for found in inner if found and "$ref" not in found))


@pytest.mark.parametrize("heading", PROGRAM_OBJECTS)
def test_tables_of_the_program_state_the_limits_of_its_schema(heading: str) -> None:
    schema = PROGRAM_OBJECTS[heading]
    rows = next(rows for rows in tables(section(chapter("program.md"), heading)) if "member" in rows[0])
    words = {row["member"].strip("`"): row["type"] for row in rows}
    assert set(words) == set(schema["properties"]) == set(schema["required"])
    for member, text in words.items():
        stated = {int(number.replace(",", "")) for number in re.findall(r"(?<!\w)\d[\d,]*", text)}
        inner = schema["properties"][member]
        assert limits_of(inner) <= stated, member
        pattern = inner.get("items", inner).get("pattern")
        assert member == "label" or pattern is None or f"`{pattern.replace('|', chr(92) + '|')}`" in text, (
            member
        )


# ---- Limits ----


def longest(pattern: str, text: str) -> int:
    """Return the length of a text, which is the longest of its kind that matches a pattern."""
    assert re.search(pattern, text)
    assert not re.search(pattern, text + text[-1])
    return len(text)


def test_limits_are_those_of_the_schema_and_the_library() -> None:
    (rows,) = tables(chapter("limits.md"))
    limits = {row["what"]: row["limit"] for row in rows}
    tensor, part = SCHEMA["$defs"]["tensor"]["properties"], SCHEMA["$defs"]["part"]["properties"]
    model, ffn = SCHEMA["$defs"]["model"]["properties"], SCHEMA["$defs"]["ffn"]["properties"]
    extension_name = SCHEMA["$defs"]["extension_names"]["items"]["pattern"]
    of = {
        name: definition["properties"] for name, definition in PROGRAM.items() if "properties" in definition
    }
    slot = read_json("schema/program.schema.json")["properties"]["parameters"]["items"]
    numbers = {
        "`metadata.json`": (metadata.MAX_BYTES, "16 MiB", 16 << 20),
        "JSON nesting": (canonical_json.MAX_DEPTH, "32", 32),
        "integers in JSON": (canonical_json.MAX_INTEGER, "2^53 − 1", 2**53 - 1),
        "tensors": (SCHEMA["properties"]["tensors"]["maxItems"], "65,536", 65536),
        "layers": (model["layers"]["maxItems"], "1,024", 1024),
        "experts of a layer": (ffn["moe"]["properties"]["num_experts"]["maximum"], "4,096", 4096),
        "vocabulary": (model["vocab_size"]["maximum"], "16,777,216 tokens", 1 << 24),
        "end tokens": (SCHEMA["$defs"]["tokenizer"]["properties"]["eos_token_ids"]["maxItems"], "64", 64),
        "extension names of a list": (SCHEMA["$defs"]["extension_names"]["maxItems"], "64", 64),
        "extension name": (longest(extension_name, "A" * 8 + "_" + "a" * 64), "73 characters", 73),
        "shards": (SCHEMA["properties"]["shards"]["maxItems"], "99,999", 99999),
        "shard": (layout.SHARD_LIMIT_MAX, "4,294,967,040 bytes (2^32 − 256)", 2**32 - 256),
        "`shard_limit` by default": (layout.SHARD_LIMIT_DEFAULT, "268,435,456 bytes", 268435456),
        "dimensions": (tensor["shape"]["items"]["maximum"], "2^31 − 1", 2**31 - 1),
        "elements of a tensor": (2**53 - 1, "2^53 − 1", 2**53 - 1),
        "tensor name": (SCHEMA["$defs"]["tensor_name"]["maxLength"], "128 characters", 128),
        "file name": (longest(SCHEMA["$defs"]["file_name"]["pattern"], "a" * 128), "128 characters", 128),
        "stem": (longest(SCHEMA["properties"]["stem"]["pattern"], "a" * 64), "64 characters", 64),
        "alignment": (layout.ALIGNMENT, "256 bytes", 256),
        "`program.json`": (program.MAX_BYTES, "16 MiB", 16 << 20),
        "module": (module.MAX_BYTES, "1 MiB", 1 << 20),
        "storage bindings": (
            of["range"]["size"]["maximum"],
            "8 a dispatch, 134,217,728 bytes each",
            128 << 20,
        ),
        "buffers, shards that a program names": (layout.SHARD_LIMIT_DEFAULT, "268,435,456 bytes", 256 << 20),
        "workgroups of a dispatch": (PROGRAM["dimension"]["maximum"], "65,535 in each dimension", 65535),
        "invocations of a workgroup": (module.MAX_INVOCATIONS, "256", 256),
        "parameters of a dispatch": (slot["maxItems"], "64 words, 256 bytes", 64),
    }
    text = SCHEMA["$defs"]["tokenizer"]["properties"]["chat_template"]
    numbers |= {
        "chat template": (text["maxLength"], "131,072 characters", 131072),
        "range in a chat template": (sandbox.RANGE_ITEMS, "100,000 items", 100000),
        "prompt of a chat template": (sandbox.TEXT_CHARACTERS, "16,777,216 characters", 2**24),
    }
    assert limits.pop("rendering, encoding, detokenizing") == f"{2 * sandbox.CPU_SECONDS:.0f} seconds"
    assert of["dispatch"]["bindings"]["maxItems"] == 8
    assert {name: text for name, (_, text, _) in numbers.items()} == limits
    assert all(value == limit for value, _, limit in numbers.values())
    assert part["shard"]["maximum"] == 99999 - 1


def test_the_schema_nests_as_deep_as_the_limits_say() -> None:
    def depth(schema: dict[str, Any]) -> int:
        definition = resolve(schema)
        inner = [
            *definition.get("properties", {}).values(),
            *([definition["items"]] if "items" in definition else []),
        ]
        return ("object" in definition["type"] or definition["type"] == "array") + max(
            map(depth, inner), default=0
        )

    assert f"the schema nests {depth(SCHEMA)} deep" in chapter("limits.md")


# ---- Canonical encoding: placement ----


@st.composite
def lists_of_tensors(draw: st.DrawFn) -> tuple[list[Tensor], int]:
    """Return tensors and a shard_limit, often one that a tensor just fits or just does not."""
    tensors: list[Tensor] = []
    for number in range(draw(st.integers(1, 6))):
        dtype: Dtype = draw(DTYPES)
        is_matrix = dtype.startswith("int4") or draw(st.booleans())
        rows, cols = draw(st.integers(1, 400)), draw(st.integers(1, 200))
        tensors.append((f"t{number}", dtype, (rows, cols) if is_matrix else (rows,)))
    if draw(st.booleans()):
        _, kind, shape = draw(st.sampled_from(tensors))
        rows, cols = (*shape, 1)[:2]
        limit = 256 + by_the_letter.part_length(kind, rows, cols) + 256 * draw(st.integers(-2, 2))
    else:
        limit = 256 * draw(st.integers(2, 400))
    return tensors, max(512, limit)


@settings(max_examples=500)
@given(lists_of_tensors())
@example(([("a", "f32", (64,)), ("b", "f32", (65,)), ("c", "f16", (1,))], 512))
@example(([("a", "int4_affine", (65, 64)), ("b", "int4_symmetric", (64, 64))], 3072))
def test_placement_is_the_procedure_of_the_spec(given_: tuple[list[Tensor], int]) -> None:
    tensors, limit = given_
    expected = by_the_letter.place(tensors, limit)
    if expected is None:
        with pytest.raises(ShardLimitError):
            place(tensors, limit)
        return
    placement = place(tensors, limit)
    parts, lengths = expected
    assert placement.parts == tuple(tuple(Placed(*part) for part in shard) for shard in parts)
    assert placement.shard_bytes == tuple(lengths)
    assert all(length <= limit for length in lengths)


def test_the_transcribed_procedure_is_the_one_that_the_spec_prints() -> None:
    """The text that tests/support/by_the_letter.py follows: if it changes, so must that."""
    (procedure,) = re.findall(r"```\n(.*?)```", section(chapter("canonical.md"), "## Placement"), re.DOTALL)
    assert procedure.splitlines() == [
        "no shard is open",
        "for each tensor t, of R rows:",
        "    if no shard is open, or position > 256 and position + length(t, R) > shard_limit:",
        "        open a new shard; position = 256",
        "    first_row = 0",
        "    while first_row < R:",
        "        if first_row > 0:",
        "            open a new shard; position = 256",
        "        n = the greatest number of rows with position + length(t, n) <= shard_limit",
        "            that is R - first_row, or else a multiple of unit below it",
        "        if there is no such n >= 1: the tensor cannot be stored with this shard_limit",
        "        put a part of n rows at position; position += length(t, n)",
        "        first_row += n",
        "each shard's byte_length is its final position",
    ]


def test_the_metadata_of_the_worked_example_is_that_of_its_vector() -> None:
    page = (SPEC / "packing.md").read_text(encoding="utf-8")
    example = page.split("```json\n")[1].split("\n```")[0].replace(",\n", ",")
    vector = VECTORS / "valid" / "worked-example" / "package" / "metadata.json"
    assert example.encode() == vector.read_bytes()
