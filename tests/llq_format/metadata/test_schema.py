"""The schema of the metadata: the rule that each error breaks, and its place."""

import json
from copy import deepcopy
from typing import Any

import pytest

from llq_format.metadata.canonical_json import canonical, parse
from llq_format.metadata.schema import check, pointer

SHA = "0" * 64
PART = {"shard": 0, "offset": 256, "byte_length": 256, "first_row": 0, "num_rows": 1, "sha256": SHA}
LAYER = {
    "attention": {
        "rope": False,
        "qk_norm": False,
        "chunk_size": 4,
        "temperature": {"attn_scale": 0.1, "floor_scale": 1},
    },
    "ffn": {
        "activation": "silu",
        "gated": True,
        "intermediate_size": 1,
        "moe": {"num_experts": 1, "shared_intermediate_size": 1},
    },
}
VALID: dict[str, Any] = {
    "version": "1.0",
    "stem": "model",
    "digest": SHA,
    "shard_limit": 512,
    "shards": [{"file": "model-00001-of-00001.llq", "byte_length": 512, "sha256": SHA}],
    "tensors": [
        {
            "name": "a.b",
            "dtype": "f32",
            "shape": [1, 1],
            "parts": [PART],
            "extensions": {"ACME_x": {}},
            "extras": {"x": [None]},
        }
    ],
    "model": {
        "vocab_size": 1,
        "hidden_size": 1,
        "num_heads": 1,
        "num_kv_heads": 1,
        "head_dim": 2,
        "context_length": 1,
        "rms_norm_eps": 1e-5,
        "rope_pairing": "halves",
        "tied_embeddings": True,
        "activations": {"fp16_layers": 0},
        "layers": [LAYER],
    },
    "tokenizer": {
        "file": "tokenizer.json",
        "byte_length": 1,
        "sha256": SHA,
        "bos_token_id": 1,
        "eos_token_ids": [0, 1],
        "chat_template": "x",
    },
    "module": {"file": "model.wgsl", "byte_length": 1, "sha256": SHA},
    "program": {"file": "program.json", "byte_length": 1, "sha256": SHA},
    "extensions_used": ["ACME_x"],
    "extensions_required": ["ACME_x"],
    "extensions": {"ACME_x": {"anything": 1}},
    "extras": {"free": {"form": [1.5]}},
}
REMOVE = object()
OPTIONAL = {
    *("model", "tokenizer", "module", "program", "extensions_used", "extensions_required", "extensions"),
    *("extras", "tensors/0/extensions", "tensors/0/extras"),
}
FREE = ("extras", "extensions", "tensors/0/extras", "tensors/0/extensions")


def members(value: Any, path: str = "") -> dict[str, Any]:
    """Return every value under a root by its pointer without the first slash, except in free-form objects."""
    nested: dict[str, Any] = {}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in items:
        inner = f"{path}{step}"
        nested[inner] = item
        if inner not in FREE:
            nested |= members(item, f"{inner}/")
    return nested


MEMBERS = members(VALID)
OBJECTS = [path for path, value in MEMBERS.items() if isinstance(value, dict) and path not in FREE]
INTEGERS = [path for path, value in MEMBERS.items() if type(value) is int]


def changed(path: str, value: object) -> dict[str, Any]:
    """Return the valid metadata with the value at a path replaced, added or removed."""
    root = deepcopy(VALID)
    *steps, last = path.split("/")
    holder: Any = root
    for step in steps:
        holder = holder[int(step)] if isinstance(holder, list) else holder[step]
    key: Any = int(last) if isinstance(holder, list) else last
    if value is REMOVE:
        del holder[key]
    else:
        holder[key] = value
    return root


def found_in(value: Any) -> list[tuple[str, str]]:
    """Return the rule and pointer of each finding, as a parser of canonical text would lead to."""
    return [(finding.rule, str(finding.where.pointer)) for finding in check(value)]


def test_metadata_with_every_member_passes() -> None:
    assert found_in(VALID) == []


@pytest.mark.parametrize("path", sorted(OPTIONAL))
def test_optional_members_may_be_absent(path: str) -> None:
    assert found_in(changed(path, REMOVE)) == []


@pytest.mark.parametrize(
    "path",
    [path for path in MEMBERS if path not in OPTIONAL and not path.rsplit("/", 1)[-1].isdigit()],
)
def test_every_other_member_is_required(path: str) -> None:
    holder = "".join(f"/{step}" for step in path.split("/")[:-1])
    assert found_in(changed(path, REMOVE)) == [("LLQ-META-2", holder)]


@pytest.mark.parametrize("path", ["", *(f"{path}/" for path in OBJECTS)])
@pytest.mark.parametrize("name", ["sha512", "extra", "", "__proto__", "tensor/~"])
def test_unknown_members_are_refused_in_every_object(path: str, name: str) -> None:
    root = deepcopy(VALID)
    holder: Any = root
    for step in path.split("/")[:-1]:
        holder = holder[int(step)] if isinstance(holder, list) else holder[step]
    holder[name] = 0
    escaped = name.replace("~", "~0").replace("/", "~1")
    assert found_in(root) == [("LLQ-META-1", f"/{path}{escaped}")]


@pytest.mark.parametrize("path", sorted(set(MEMBERS) - {"version"}))
def test_every_member_has_a_type(path: str) -> None:
    kinds: list[Any] = [None, True, 7, 0.5, "text", [], {}]
    original = MEMBERS[path]
    nullable = path.endswith(("chunk_size", "temperature", "moe", "bos_token_id", "chat_template"))
    for value in kinds:
        same_type = type(value) is type(original) or (type(value), type(original)) == (int, float)
        if same_type or (value is None and nullable):
            continue
        rule = "LLQ-META-4" if (type(original), type(value)) == (int, float) else "LLQ-META-3"
        assert (rule, f"/{path}") in found_in(changed(path, value)), value


@pytest.mark.parametrize("path", INTEGERS)
def test_integers_are_written_as_digits_alone(path: str) -> None:
    value = MEMBERS[path]
    for text in (f"{value}.0", f"{value}e0", f"{value}E-0", f"{value}.5", "1e300", "-0.0"):
        marked = json.dumps(changed(path, "@")).replace('"@"', text)
        parsed, findings = parse(marked.encode())
        assert not findings
        assert found_in(parsed)[0] == ("LLQ-META-4", f"/{path}")


def test_a_number_may_be_written_as_an_integer() -> None:
    assert found_in(changed("model/rms_norm_eps", 1)) == []


BEYOND: dict[str, list[Any]] = {
    "stem": ["", ".a", "-a", "a" * 65, "a b", "a/b", "a\n", "é", "a%2e"],
    "digest": ["0" * 63, "0" * 65, "A" * 64, "g" * 64, "0" * 64 + "\n"],
    "shard_limit": [0, 256, 511, 513, 4294967296, -512],
    "shards": [[]],
    "shards/0/byte_length": [0, -1, 4294967041],
    "shards/0/sha256": ["F" * 64, ""],
    "tensors": [[]],
    "tensors/0/dtype": ["", "bf16", "INT4_AFFINE", "int4"],
    "tensors/0/shape": [[], [1, 1, 1], [0], [1, 0], [2147483648], [-1, 1]],
    "tensors/0/parts": [[]],
    "tensors/0/parts/0/shard": [-1, 99999],
    "tensors/0/parts/0/offset": [-1, 4294967041],
    "tensors/0/parts/0/byte_length": [0, 4294967041],
    "tensors/0/parts/0/first_row": [-1, 2147483648],
    "tensors/0/parts/0/num_rows": [0, 2147483648],
    "tensors/0/extensions": [{"acme_x": {}}, {"ACME_": {}}, {"A_x": {}}, {"ACME_x\n": {}}],
    "model/vocab_size": [0, 16777217],
    "model/hidden_size": [0, 1048577],
    "model/num_heads": [0, 4097],
    "model/num_kv_heads": [0, 4097],
    "model/head_dim": [0, 3, 4098],
    "model/context_length": [0, 2147483648],
    "model/rms_norm_eps": [0, -1e-5, 9e-13, 1.1],
    "model/rope_pairing": ["half", ""],
    "model/activations/fp16_layers": [-1, 1025],
    "model/layers": [[], [LAYER] * 1025],
    "model/layers/0/attention/chunk_size": [0, 2147483648],
    "model/layers/0/attention/temperature/attn_scale": [-0.1, 1000.5],
    "model/layers/0/attention/temperature/floor_scale": [0, 2147483648],
    "model/layers/0/ffn/activation": ["relu", "SiLU"],
    "model/layers/0/ffn/intermediate_size": [0, 4194305],
    "model/layers/0/ffn/moe/num_experts": [0, 4097],
    "model/layers/0/ffn/moe/shared_intermediate_size": [0, 4194305],
    "tokenizer/byte_length": [0],
    "tokenizer/bos_token_id": [-1, 16777216],
    "tokenizer/eos_token_ids": [[0, 0], [-1], [16777216], list(range(65))],
    "extensions_used": [["ACME_x"] * 2, ["acme"], [f"ACME_x{n}" for n in range(65)], ["ACME_x\n"]],
    "extensions": [{"": {}}, {"ACMECORPS_x": {}}],
}


@pytest.mark.parametrize("path", BEYOND)
def test_values_outside_the_schema_are_refused(path: str) -> None:
    for value in BEYOND[path]:
        findings = found_in(changed(path, value))
        assert {rule for rule, _ in findings} == {"LLQ-META-5"}, value
        assert all(where.startswith(f"/{path}") for _, where in findings)


@pytest.mark.parametrize("path", ["shards/0/file", "tokenizer/file", "module/file", "program/file"])
@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        ".",
        "../a",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "C:a",
        "\\\\host\\a",
        "%2e%2e",
        "a\0",
        "a\n",
        "é",
        "-a",
    ],
)
def test_names_of_files_have_a_rule_of_their_own(path: str, name: str) -> None:
    assert found_in(changed(path, name)) == [("LLQ-PKG-3", f"/{path}")]
    assert found_in(changed(path, "a" * 129)) == [("LLQ-PKG-3", f"/{path}")]


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "_a",
        "a._b",
        "a-b",
        "a b",
        "a\n",
        "a\0",
        "\x1b[31m",
        "é",
        "a/b",
        "a" * 129,
    ],
)
def test_names_of_tensors_have_a_rule_of_their_own(name: str) -> None:
    assert set(found_in(changed("tensors/0/name", name))) == {("LLQ-TENSOR-1", "/tensors/0/name")}


def test_all_errors_are_found_in_order_of_the_rules() -> None:
    root = changed("tensors/0/name", "-")
    root["shards"][0]["file"] = ".."
    root["stem"] = ""
    root["shard_limit"] = 512.0
    root["tensors"][0]["dtype"] = 1
    del root["digest"]
    root["bogus"] = 1
    assert [rule for rule, _ in found_in(root)] == [
        *("LLQ-META-1", "LLQ-META-2", "LLQ-META-3", "LLQ-META-4", "LLQ-META-5", "LLQ-META-5"),
        *("LLQ-PKG-3", "LLQ-TENSOR-1"),
    ]


@pytest.mark.parametrize("root", [[], None, "1.0", 3, True])
def test_a_root_that_is_not_an_object_has_the_wrong_type(root: Any) -> None:
    assert found_in(root) == [("LLQ-META-3", "")]


def test_what_is_shown_of_a_hostile_value_is_short_and_printable() -> None:
    (finding,) = check(changed("tensors/0/name", "\x1b]0;owned\x07" + "x" * 100_000))[:1]
    assert len(str(finding)) < 1000
    assert str(finding).isascii() or "…" in str(finding)
    assert str(finding).isprintable()


def test_a_pointer_escapes_as_rfc_6901_does() -> None:
    assert pointer(["a/b", 0, "m~n", ""]) == "/a~1b/0/m~0n/"


def test_the_example_is_canonical_json_after_all() -> None:
    assert parse(canonical(VALID)) == (VALID, [])
