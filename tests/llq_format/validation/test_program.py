"""Stage `program` of validation, and executors that check before they execute (chapter Execution program)."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

import llq_format
from llq_format.metadata.canonical_json import canonical
from llq_format.metadata.findings import LLQError
from llq_format.metadata.metadata import FileEntry, Metadata
from llq_format.metadata.specification import read_json
from llq_format.validation import module as module_checks
from llq_format.validation.execution import check_files, check_sizes
from llq_format.webgpu.execution import opening
from llq_format.webgpu.execution.device import Device
from llq_format.webgpu.execution.device_errors import DeviceError
from llq_format.webgpu.execution.executor import Executor
from llq_format.webgpu.planning.module import kernel_sections, read_module, source
from llq_format.webgpu.planning.planner import plan
from llq_format.webgpu.planning.program import Program, ProgramVariant
from llq_format.webgpu.planning.program_files import module_bytes
from llq_format.webgpu.planning.variants import VARIANTS
from tests.support.repository import VECTORS

PACKAGE = VECTORS / "valid/control-files/package"
MODULE = (PACKAGE / "vector.wgsl").read_bytes()
VALUE: dict[str, Any] = json.loads((PACKAGE / "program.json").read_text(encoding="utf-8"))
INDEX: list[dict[str, Any]] = json.loads((VECTORS / "index.json").read_text(encoding="utf-8"))["vectors"]
FAULTY = [
    vector
    for vector in INDEX
    if vector["kind"] == "invalid" and vector["rules"][0].startswith(("LLQ-WGSL", "LLQ-PROG"))
]
SOFTWARE = "llvmpipe"


def metadata() -> Metadata:
    with llq_format.open(PACKAGE) as package:
        return package.metadata


def rules_in(value: Any, module: bytes = MODULE) -> list[str]:
    return [finding.rule for finding in check_files(metadata(), module, canonical(value))[1]]


def changed(change: Callable[[Any], None]) -> Any:
    value = deepcopy(VALUE)
    change(value)
    return value


def test_all_errors_are_found_in_order_of_the_rules() -> None:
    def break_much(value: Any) -> None:
        value["variants"][0]["features"] = ["shader-f16"]
        value["weights"]["norm"]["shard"] = 7
        value["passes"]["decode"][0].update(entry_point="ghost", parameters=99)
        value["passes"]["last"][0]["bindings"] = ["x"]
        value["context_length"] = 1000

    module = MODULE.replace(b"@workgroup_size(64)", b"@workgroup_size(640)")
    rules = rules_in(changed(break_much), module)
    assert rules == [
        *("LLQ-WGSL-4", "LLQ-PROG-5", "LLQ-PROG-11", "LLQ-PROG-14", "LLQ-PROG-15", "LLQ-PROG-16"),
        "LLQ-PROG-20",
    ]


def test_places_are_pointers_into_the_program_and_lines_of_the_module() -> None:
    value = changed(lambda v: v["passes"]["decode"][1].update(parameters=9))
    module = MODULE.replace(b"// touch", b"/* touch")
    first, second = check_files(metadata(), module, canonical(value))[1]
    assert first.where.to_json() == {"file": "vector.wgsl", "line": 8}
    assert MODULE.decode().splitlines()[7].startswith("// touch")
    assert str(first).startswith("LLQ-WGSL-3: vector.wgsl line 8: found /* in section touch")
    pointer = "/passes/decode/1/parameters"
    assert second.where.to_json() == {"pointer": pointer, "file": "program.json"}
    assert str(second).startswith(f"LLQ-PROG-20: program.json#{pointer}: found 9, expected less than 3")
    document = [{"path": "p", "valid": False, "findings": [first.to_json(), second.to_json()]}]
    jsonschema.Draft202012Validator(read_json("schema/findings.schema.json")).validate(document)


def test_program_and_schema_forbid_what_they_do_not_name() -> None:
    schema = read_json("schema/program.schema.json")
    jsonschema.Draft202012Validator.check_schema(schema)
    for object_schema in (schema, *schema["$defs"].values()):
        if object_schema.get("type") == "object":
            assert object_schema["additionalProperties"] is False
            assert set(object_schema["required"]) == set(object_schema["properties"])


@pytest.mark.parametrize("model", ["control-model", "control-experts"])
@pytest.mark.parametrize("kv_cache", ["f16", "f32"])
def test_what_the_planner_makes_breaks_no_rule(model: str, kv_cache: Any) -> None:
    with llq_format.open(VECTORS / "valid" / model / "package") as package:
        planned = replace(package.metadata, module=FileEntry("vector.wgsl", 1, "0" * 64))
    data = plan(planned, chunk=5, kv_cache=kv_cache).to_bytes()
    assert check_files(planned, module_bytes(), data)[1] == []
    assert Program.from_json(json.loads(data)).to_bytes() == data


def test_a_large_vocabulary_makes_chunks_smaller() -> None:
    """128 positions of 300,000 logits exceed a binding; 64 do not."""
    with llq_format.open(VECTORS / "valid/control-model/package") as package:
        model = package.metadata.model
        assert model is not None
        large = replace(package.metadata, model=replace(model, vocab_size=300_000))
    program = plan(large)
    assert (program.chunk, program.buffers["all_logits"].bytes) == (64, 76_800_000)


def test_the_sections_of_a_module_are_those_that_executors_take() -> None:
    sections, findings = module_checks.check_module(module_bytes(), "m.wgsl")
    assert findings == []
    assert {section.name: section.text for section in sections} == read_module(module_bytes().decode())
    assert tuple(section.name for section in sections if section.portable) == VARIANTS[0].sections


def test_the_unchanged_file_is_the_first_variant() -> None:
    """Without framing lines and what block comments hold, the module is the source of the first variant."""
    lines, depth = [], 0
    for line in module_bytes().decode().splitlines():
        depth += line.startswith("/*:")
        if depth == 0 and not line.startswith("//:"):
            lines.append(line)
        depth -= line.endswith(":*/")
    assert "\n".join(lines).split() == source(kernel_sections(), VARIANTS[0]).split()


def test_a_module_may_be_as_long_as_its_limit() -> None:
    end = b"/*: begin z\n%send z :*/\n"
    full = MODULE + end % (b"\n" * (module_checks.MAX_BYTES - len(MODULE) - len(end) + 2))
    assert len(full) == module_checks.MAX_BYTES == 1_048_576
    assert module_checks.check_module(full, "m.wgsl")[1] == []
    assert [f.rule for f in module_checks.check_module(full + b"\n", "m.wgsl")[1]] == ["LLQ-WGSL-1"]


def test_files_above_their_limits_are_rejected_by_length_alone() -> None:
    long = replace(
        metadata(),
        module=FileEntry("vector.wgsl", (1 << 20) + 1, "0" * 64),
        program=FileEntry("program.json", (1 << 24) + 1, "0" * 64),
    )
    assert [finding.rule for finding in check_sizes(long)] == ["LLQ-WGSL-1", "LLQ-PROG-1"]


def test_a_shard_longer_than_a_buffer_cannot_be_named() -> None:
    """A range in a shard of more than 256 MiB, which no vector can hold."""
    description = metadata()
    entry = replace(description.shards[0], byte_length=(1 << 28) + 256)
    long = replace(description, shards=(entry,))
    findings = check_files(long, MODULE, canonical(VALUE))[1]
    assert [finding.rule for finding in findings] == ["LLQ-PROG-11"] * 2
    assert findings[0].found == "a shard of 268435712 bytes"


def test_a_weights_package_has_no_program_to_check() -> None:
    with pytest.raises(ValueError, match="a model and a module"):
        check_files(replace(metadata(), model=None), MODULE, canonical(VALUE))


# ---- Executors ----


@pytest.mark.parametrize(
    "vector", [vector for vector in FAULTY if not vector["setup"]], ids=lambda vector: vector["id"]
)
def test_an_executor_refuses_what_breaks_a_rule_before_it_asks_for_a_device(vector: dict[str, Any]) -> None:
    with llq_format.open(VECTORS / vector["path"]) as package:
        if package.metadata.program is None:
            return  # a module alone: the executor brings its own
        with pytest.raises(LLQError) as error:
            opening.executable(package)
    assert error.value.finding.rule == vector["rules"][0]


def test_an_executor_refuses_a_file_by_its_length_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with llq_format.open(PACKAGE) as package:
        entry = package.metadata.program
        assert entry is not None
        package.metadata = replace(package.metadata, program=replace(entry, byte_length=(1 << 24) + 1))
        monkeypatch.setattr(package, "read_file", lambda _entry: pytest.fail("read"))
        with pytest.raises(LLQError, match=r"LLQ-PROG-1: program\.json: found 16777217 bytes"):
            opening.executable(package)


def sections() -> dict[str, str]:
    return read_module(MODULE.decode())


@pytest.mark.gpu
def test_an_executor_refuses_damaged_weights_before_it_runs(tmp_path: Path) -> None:
    for file in PACKAGE.iterdir():
        data = bytearray(file.read_bytes())
        if file.suffix == ".llq":
            data[256] ^= 1  # of the embedding
        (tmp_path / file.name).write_bytes(data)
    with llq_format.open(tmp_path) as package:
        program_of_package = opening.executable(package)
        device = Device(
            program_of_package.program, program_of_package.sections, adapter=SOFTWARE, variant="portable"
        )
        with pytest.raises(LLQError, match="LLQ-HASH-1"):
            Executor(package, program_of_package.program, device)


@pytest.mark.gpu
def test_an_executor_runs_kernels_that_it_has_never_seen() -> None:
    """Each word w of the embedding becomes (w & 255) + 1 in `x`, and one more in `logits`."""
    with llq_format.open(PACKAGE) as package:
        executor = opening.open_executor(package, adapter=SOFTWARE, variant="portable")
        entry = package.metadata.tensors[0].parts[0]
        shard = (package.directory / package.metadata.shards[0].file).read_bytes()
    words = np.frombuffer(shard, "<u4", 4, entry.offset)
    executor.prefill([3])
    assert executor.read("x", 4, np.uint32).tolist() == [(int(word) & 255) + 1 for word in words]
    assert executor.read("logits", 4, np.uint32).tolist() == [
        ((int(word) & 255) + 1 & 255) + 1 for word in words
    ]


@pytest.mark.gpu
def test_each_dispatch_sees_the_writes_of_earlier_dispatches() -> None:
    """100 dispatches of target(i) = (source(i) & 255) + 1, from x to y and back, in one pass."""
    value = deepcopy(VALUE)
    value["weights"] = {}
    value["buffers"]["y"] = value["buffers"]["x"]
    step = VALUE["passes"]["last"][0]
    value["passes"]["last"] = [
        {**step, "bindings": ["x", "y"] if number % 2 == 0 else ["y", "x"], "parameters": 0}
        for number in range(100)
    ]
    program = Program.from_json(value)
    executor = Executor(None, program, Device(program, sections(), adapter=SOFTWARE, variant="portable"))
    executor.write("x", np.array([0, 10, 20, 30], np.uint32))
    executor.run("last", 1)
    assert executor.read("x", 4, np.uint32).tolist() == [100, 110, 120, 130]
    assert executor.read("y", 4, np.uint32).tolist() == [99, 109, 119, 129]


@pytest.mark.gpu
def test_a_variant_is_chosen_only_if_the_device_has_its_features() -> None:
    program = Program.from_json(VALUE)
    impossible = ProgramVariant(
        "impossible", ("texture-compression-of-2040",), (), (), ("step_plain", "touch")
    )
    program = replace(program, variants=(*program.variants, impossible))
    assert Device(program, sections(), adapter=SOFTWARE).variant.name == "packed-dot"
    with pytest.raises(DeviceError, match="cannot execute variant 'impossible'"):
        Device(program, sections(), adapter=SOFTWARE, variant="impossible")
