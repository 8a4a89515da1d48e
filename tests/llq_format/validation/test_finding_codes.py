"""Every code of the catalogue is reported, under each of its rules, for a vector or for a case here."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import llq_format
from conformance.core.vectors import load
from llq_format import Finding, LLQError, validate
from llq_format.metadata.canonical_json import canonical
from llq_format.metadata.finding_codes import FINDING_CODES
from llq_format.metadata.metadata import Metadata
from llq_format.validation.execution import check_files
from llq_format.validation.package_files import PackageFile
from llq_format.validation.parts import check_parts
from llq_format.webgpu.execution import opening
from llq_format.webgpu.execution.device_errors import ShaderError
from tests.support.command_line import tiny
from tests.support.repository import VECTORS

PAIRS = {(rule, code.name) for code in FINDING_CODES.values() for rule in code.rules}
PACKAGE = VECTORS / "valid/control-files/package"
PROGRAM: dict[str, Any] = json.loads((PACKAGE / "program.json").read_text(encoding="utf-8"))


def metadata() -> Metadata:
    with llq_format.open(PACKAGE) as package:
        return package.metadata


def in_a_program(value: Any, own: Metadata | None = None) -> list[Finding]:
    module = (PACKAGE / "vector.wgsl").read_bytes()
    return check_files(own or metadata(), module, canonical({**PROGRAM, **value}))[1]


# ---- Cases that no vector holds ----


def missing_directory(path: Path) -> list[Finding]:
    return validate(path)


def file_in_place_of_a_directory(path: Path) -> list[Finding]:
    path.touch()
    return validate(path)


def model_without_a_tokenizer(path: Path) -> list[Finding]:
    return validate(tiny(path))


def file_that_shrinks_while_it_is_read(path: Path) -> list[Finding]:
    path.write_bytes(b"short")
    with PackageFile(path) as file, pytest.raises(LLQError) as error:
        file.read(0, 6)
    return [error.value.finding]


def row_larger_than_a_shard(_: Path) -> list[Finding]:
    """Every part of a file fits into a shard, so that only metadata without parts reach this."""
    tensor = replace(metadata().tensors[0], name="wide", dtype="f32", shape=(1, 100), parts=())
    return check_parts(replace(metadata(), tensors=(tensor,), shards=(), shard_limit=512))


def program_with_a_shard_larger_than_a_buffer(_: Path) -> list[Finding]:
    shard = replace(metadata().shards[0], byte_length=(1 << 28) + 256)
    return in_a_program({}, replace(metadata(), shards=(shard,)))


def program_of_another_version(_: Path) -> list[Finding]:
    return in_a_program({"version": "2.0"})


def program_without_pipelines(_: Path) -> list[Finding]:
    return in_a_program({"pipelines": {}})


def program_with_too_many_pipelines(_: Path) -> list[Finding]:
    return in_a_program({"pipelines": {f"p{number}": ["read"] for number in range(1025)}})


def program_with_a_long_name(_: Path) -> list[Finding]:
    return in_a_program({"pipelines": {"p" * 65: ["read"]}})


def module_that_no_compiler_accepts(_: Path) -> list[Finding]:
    with llq_format.open(PACKAGE) as package:
        files = opening.executable(package)
    refused = ShaderError("portable", "expected `;`, found \x1b[0m")
    with (
        mock.patch.multiple(opening, find_adapter=mock.DEFAULT, supports=mock.DEFAULT),
        mock.patch.object(opening, "Device", side_effect=refused),
        pytest.raises(LLQError) as error,
    ):
        opening.open_device(files, variant="portable")
    return [error.value.finding]


CASES: dict[tuple[str, str], Callable[[Path], list[Finding]]] = {
    ("LLQ-PKG-1", "directory-missing"): missing_directory,
    ("LLQ-PKG-1", "path-not-a-directory"): file_in_place_of_a_directory,
    ("LLQ-PKG-10", "tokenizer-missing"): model_without_a_tokenizer,
    ("LLQ-PKG-8", "file-ends-early"): file_that_shrinks_while_it_is_read,
    ("LLQ-CANON-4", "shard-limit-too-small"): row_larger_than_a_shard,
    ("LLQ-PROG-11", "weight-shard-too-large"): program_with_a_shard_larger_than_a_buffer,
    ("LLQ-WGSL-5", "variant-not-compiled"): module_that_no_compiler_accepts,
    ("LLQ-PROG-3", "wrong-constant"): program_of_another_version,
    ("LLQ-PROG-3", "too-few-members"): program_without_pipelines,
    ("LLQ-PROG-3", "too-many-members"): program_with_too_many_pipelines,
    ("LLQ-PROG-3", "text-too-long"): program_with_a_long_name,
}


@pytest.mark.parametrize("pair", CASES, ids="-".join)
def test_a_case_that_no_vector_holds_is_reported_by_its_code(pair: tuple[str, str], tmp_path: Path) -> None:
    findings = {(finding.rule, finding.code): finding for finding in CASES[pair](tmp_path / "case")}
    assert pair in findings
    check_texts(findings[pair])


def check_texts(finding: Finding) -> None:
    """Check that the texts are printable, and that JSON has the same values."""
    assert finding.found.isprintable()
    assert finding.expected.isprintable()
    document = finding.to_json()
    assert json.loads(json.dumps(document)) == document
    assert set(document["values"]) == FINDING_CODES[finding.code].names


@pytest.mark.slow
def test_every_code_is_reported_for_a_vector_or_a_case(tmp_path: Path) -> None:
    reported = set(CASES)
    for vector in load():
        if vector.kind == "invalid":
            for finding in validate(vector.prepared(tmp_path)):
                reported.add((finding.rule, finding.code))
                check_texts(finding)
    assert reported == PAIRS
