"""The golden vectors: complete, reproducible, independent, and right by a second reading of the bytes."""

import ast
import json
import struct
import sys
import zlib
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.support.repository import ROOT, VECTORS
from vectors import build
from vectors.cases import control as controls

INDEX: list[dict[str, Any]] = json.loads((VECTORS / "index.json").read_text())["vectors"]
VALID = [vector for vector in INDEX if vector["kind"] == "valid"]
INVALID = [vector for vector in INDEX if vector["kind"] == "invalid"]
REGISTRY: dict[str, Any] = json.loads((ROOT / "spec/rules.json").read_text())
RULES: list[dict[str, Any]] = REGISTRY["rules"]
VALIDATION = REGISTRY["stages"][: REGISTRY["stages"].index("decode")]


@pytest.mark.slow
def test_regeneration_is_byte_identical() -> None:
    assert build.differences() == []


def test_there_are_enough_vectors_and_they_are_small() -> None:
    assert len(VALID) >= 60
    assert len(INVALID) >= 190
    distinct = set(build.committed().values())  # git stores equal files once
    assert sum(len(zlib.compress(data)) for data in distinct) < 5_000_000  # in bytes, about as git packs them


def test_ids_are_unique() -> None:
    assert [name for name, times in Counter(vector["id"] for vector in INDEX).items() if times > 1] == []


def test_the_index_is_sorted() -> None:
    keys = [(vector["kind"], vector["id"]) for vector in INDEX]
    assert keys == sorted(keys)


def test_every_rule_named_is_in_the_registry() -> None:
    rules = {rule["id"] for rule in RULES}
    assert {rule for vector in INDEX for rule in vector["rules"]} <= rules


def test_every_rule_of_validation_has_an_invalid_vector() -> None:
    checked = [rule for rule in RULES if rule["stage"] in VALIDATION]
    errors = {rule["id"] for rule in checked if rule["severity"] == "error"}
    assert {vector["rules"][0] for vector in INVALID} == errors


def test_every_warning_has_a_valid_vector() -> None:
    warnings = {rule["id"] for rule in RULES if rule["stage"] in VALIDATION and rule["severity"] == "warning"}
    assert {rule for vector in VALID for rule in vector["warnings"]} == warnings


def test_every_rule_of_decoding_and_ext_3_have_a_valid_vector() -> None:
    decoding = {rule["id"] for rule in RULES if rule["stage"] == "decode" and rule["kind"] == "requirement"}
    assert decoding | {"LLQ-EXT-3"} <= {rule for vector in VALID for rule in vector["rules"]}


def test_descriptions_are_sentences() -> None:
    assert [vector["id"] for vector in INDEX if not vector["description"].endswith(".")] == []
    assert [vector["id"] for vector in INDEX if "{}" in vector["description"]] == []


def test_the_controls_are_valid_vectors() -> None:
    makers = [getattr(controls, name) for name in dir(controls) if name.startswith("control")]
    names = {maker.__name__.replace("_", "-") for maker in makers}
    assert names <= {vector["id"] for vector in VALID}
    assert len(names) == 7


@pytest.mark.parametrize("path", sorted((ROOT / "vectors").rglob("*.py")), ids=lambda path: path.name)
def test_the_kit_imports_only_the_standard_library_and_itself(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names = [node.module or ""]
        numpy = {"numpy"} if path.parent.name == "decoder64" else set()
        for name in names:
            assert name.partition(".")[0] in {*sys.stdlib_module_names, "vectors", *numpy}


def test_vectors_with_two_errors_name_both() -> None:
    ambiguous = [vector for vector in INVALID if "LLQ-READ-1" in vector["rules"]]
    assert all(len({*vector["rules"]} - {"LLQ-READ-7"}) == 3 for vector in ambiguous)


# A reading of packages by the formulas of the chapters, from bytes to weights: the kit goes the other way.


def values(data: bytes, letter: str) -> tuple[Any, ...]:
    return struct.unpack(f"<{len(data) // struct.calcsize(letter)}{letter}", data)


def decoded(tensor: dict[str, Any], part: dict[str, Any], data: bytes) -> list[float]:
    """Return the weights of a part, whose bytes are given."""
    rows, cols = part["num_rows"], tensor["shape"][1] if len(tensor["shape"]) > 1 else 1
    if not tensor["dtype"].startswith("int4"):
        letter, size = ("e", 2) if tensor["dtype"] == "f16" else ("f", 4)
        return list(values(data[: rows * cols * size], letter))
    across = (cols + 63) // 64
    n = (rows + 63) // 64 * across
    scales = values(data[256 : 256 + 2 * n], "e")
    after_scales = 256 + (2 * n + 255) // 256 * 256
    zero_points: tuple[int, ...] = (8,) * n
    packed = after_scales
    if tensor["dtype"] == "int4_affine":
        zero_points = values(data[after_scales : after_scales + n], "b")
        packed += (n + 255) // 256 * 256
    weights = []
    for row in range(rows):
        for column in range(cols):
            b = row // 64 * across + column // 64
            element = 64 * (row % 64) + column % 64
            byte, shift = packed + 2048 * b + (element >> 2), 2 * (element & 3)
            q = (data[byte] >> shift & 3) + 4 * (data[byte + 1024] >> shift & 3)
            weights.append(float(Fraction(scales[b]) * (q - zero_points[b])))
    return weights


@pytest.mark.parametrize("vector", VALID, ids=lambda vector: vector["id"])
def test_expected_weights_are_those_of_the_package(vector: dict[str, Any]) -> None:
    package = VECTORS / vector["path"]
    metadata = json.loads((package / "metadata.json").read_text())
    shards = [(package / entry["file"]).read_bytes() for entry in metadata["shards"]]
    assert [tensor["name"] for tensor in metadata["tensors"]] == list(vector["tensors"])
    for tensor in metadata["tensors"]:
        weights: list[float] = []
        for part in tensor["parts"]:
            data = shards[part["shard"]][part["offset"] : part["offset"] + part["byte_length"]]
            weights += decoded(tensor, part, data)
        array = (VECTORS / vector["tensors"][tensor["name"]]).read_bytes()
        assert array[128:] == struct.pack(f"<{len(weights)}f", *weights)
        assert ast.literal_eval(array[10:128].decode()) == {
            "descr": "<f4",
            "fortran_order": False,
            "shape": tuple(tensor["shape"]),
        }


def test_the_worked_example_is_that_of_chapter_packing() -> None:
    shard = (VECTORS / "valid/worked-example/package/worked-example-00001-of-00001.llq").read_bytes()
    assert len(shard) == 3072
    expected = {
        0: "89 4C 4C 51 0D 0A 1A 0A 01 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 00 0C 00 00 00 00 00 00",
        256: "40 00 00 00 40 00 00 00 01 00 00 00 00 02 00 00",
        512: "00 38",
        768: "FD 00",
        1024: "6C " * 16 + "B1 " * 16 + "C6 " * 16 + "1B " * 16,
        2048: "90 4F 3A E5 " * 4 + "94 43 3E E9 " * 4 + "A4 53 0E F9 " * 4,
    }
    for offset, data in expected.items():
        assert shard[offset : offset + len(bytes.fromhex(data))] == bytes.fromhex(data)


def test_the_examples_of_chapter_dequantization() -> None:
    array = (VECTORS / "valid/dequantization-examples/expected/weight.npy").read_bytes()
    bits = {f"{value:08X}" for value in values(array[128:], "I")}
    assert {"00000000", "C1000000", "4164BE80", "38800000", "C77C8300", "41100000"} <= bits
