"""Stage `program`, the execution program: program.json against module and metadata (rules LLQ-PROG-n)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from llq_format.format.layout import SHARD_LIMIT_DEFAULT
from llq_format.format.shard import PREAMBLE_BYTES
from llq_format.metadata.canonical_json import parse
from llq_format.metadata.findings import Finding, Place
from llq_format.metadata.metadata import Metadata
from llq_format.metadata.model import Model
from llq_format.metadata.schema import check_program as check_schema
from llq_format.metadata.schema import pointer
from llq_format.validation.module import Section
from llq_format.validation.text import check_encoding

FILE_NAME = "program.json"
MAX_BYTES = 1 << 24
MAX_BINDING = 128 << 20  # WebGPU's default maxStorageBufferBindingSize
_STATE_BYTES = 256
_ONE_POSITION = ("last", "greedy", "sample")

Json = Any


def check_program_text(data: bytes) -> tuple[Json, list[Finding]]:
    """Return the value of program.json, and the violations of rules LLQ-PROG-1 to LLQ-PROG-4.

    The value is valid only without findings.
    """
    if not 2 <= len(data) <= MAX_BYTES:
        return None, [program_size(len(data))]
    value, findings = parse(data, FILE_NAME)
    if findings:
        first = min(findings, key=lambda finding: finding.order)
        return None, [replace(first, rule="LLQ-PROG-2")]
    in_encoding = [replace(f, rule="LLQ-PROG-2") for f in check_encoding(data, value, FILE_NAME)]
    in_schema = check_schema(value, FILE_NAME)
    return (None if in_encoding else value), in_encoding + in_schema


def program_size(size: int) -> Finding:
    """Return the finding of a program.json of the wrong size."""
    values = {"byte_length": size, "minimum": 2, "maximum": MAX_BYTES}
    return Finding("program-size", Place(file=FILE_NAME), values)


def check_program(
    value: Json, metadata: Metadata, model: Model, sections: Sequence[Section]
) -> list[Finding]:
    """Return the violations of rules LLQ-PROG-5 to LLQ-PROG-21, in order.

    value: satisfies the schema; sections: of a module without findings.
    """
    findings = [
        *_variants(value, sections),
        *_entry_points(value, sections),
        *_weights(value, metadata),
        *_buffers(value),
        *_known_buffers(value, model),
        *_dispatches(value),
    ]
    return sorted(findings, key=lambda finding: finding.order)


def _finding(code: str, path: Sequence[str | int], **values: Json) -> Finding:
    return Finding(code, Place(pointer=pointer(path), file=FILE_NAME), values)


def _variants(value: Json, sections: Sequence[Section]) -> Iterator[Finding]:
    variants = value["variants"]
    for member in ("features", "language", "directives"):
        if variants[0][member]:
            path = ("variants", 0, member)
            yield _finding("first-variant-not-portable", path, requirements=variants[0][member])
    names = Counter(variant["name"] for variant in variants)
    section_names = {section.name for section in sections}
    for number, variant in enumerate(variants):
        if names[variant["name"]] > 1:
            yield _finding("variant-name-repeated", ("variants", number, "name"), name=variant["name"])
        for at, name in enumerate(variant["sections"]):
            if name not in section_names:
                where = ("variants", number, "sections", at)
                yield _finding("variant-section-unknown", where, section=name)
    portable = [section.name for section in sections if section.portable]
    sections_ = variants[0]["sections"]
    if sections_ != portable:
        path = ("variants", 0, "sections")
        yield _finding("first-variant-sections-wrong", path, sections=sections_, expected=portable)


def _entry_points(value: Json, sections: Sequence[Section]) -> Iterator[Finding]:
    entry_points = {section.name: section.entry_points for section in sections}
    for variant in value["variants"]:
        count = Counter(name for section in variant["sections"] for name in entry_points.get(section, ()))
        for name in value["pipelines"]:
            if count[name] != 1:
                path = ("pipelines", name)
                yield _finding("entry-point-not-unique", path, count=count[name], variant=variant["name"])


def _weights(value: Json, metadata: Metadata) -> Iterator[Finding]:
    for name, weight in value["weights"].items():
        path, shard, num_shards = ("weights", name), weight["shard"], len(metadata.shards)
        if name in value["buffers"]:
            yield _finding("weight-name-taken", path)
        if shard >= num_shards:
            yield _finding("weight-shard-unknown", (*path, "shard"), shard=shard, num_shards=num_shards)
            continue
        length = metadata.shards[shard].byte_length
        first, end = weight["offset"], weight["offset"] + weight["size"]
        if first < PREAMBLE_BYTES or end > length:
            bounds = {"minimum": PREAMBLE_BYTES, "maximum": length - 1}
            yield _finding("weight-outside-shard", path, first=first, last=end - 1, **bounds)
        if length > SHARD_LIMIT_DEFAULT:
            lengths = {"byte_length": length, "maximum": SHARD_LIMIT_DEFAULT}
            yield _finding("weight-shard-too-large", (*path, "shard"), **lengths)


def _buffers(value: Json) -> Iterator[Finding]:
    for name, buffer in value["buffers"].items():
        fixed, growing = buffer["bytes"], buffer["bytes_per_position"]
        size = fixed + growing * value["context_length"]
        if not 1 <= size <= MAX_BINDING:
            lengths = {"byte_length": size, "minimum": 1, "maximum": MAX_BINDING}
            yield _finding("buffer-size-out-of-range", ("buffers", name), **lengths)


def _known_buffers(value: Json, model: Model) -> Iterator[Finding]:
    """Check the resources that the executor itself reads and writes, and the context."""
    sizes = {
        "state": _STATE_BYTES,
        "sampling": _STATE_BYTES,
        "tokens": 4 * value["chunk"],
        "logits": 4 * model.vocab_size,
        "all_logits": 4 * value["chunk"] * model.vocab_size,
    }
    for name, size in sizes.items():
        buffer = value["buffers"].get(name)
        if buffer is None:
            yield _finding("buffer-missing", ["buffers"], name=name)
        else:
            yield from _sized(name, buffer, size, 0, "zero")
    for name, buffer in value["buffers"].items():
        if buffer["init"] == "rope" and name not in sizes:
            yield from _sized(name, buffer, 0, 4 * model.head_dim, "rope")
    if value["context_length"] > model.context_length:
        lengths = {"context_length": value["context_length"], "maximum": model.context_length}
        yield _finding("program-context-too-long", ("context_length",), **lengths)


def _sized(name: str, buffer: Json, fixed: int, growing: int, init: str) -> Iterator[Finding]:
    for member, expected in (("bytes", fixed), ("bytes_per_position", growing), ("init", init)):
        if buffer[member] != expected:
            path = ("buffers", name, member)
            values = {"member": member, "value": buffer[member], "expected": expected}
            yield _finding("buffer-member-wrong", path, **values)


def _dispatches(value: Json) -> Iterator[Finding]:
    for name, dispatches in value["passes"].items():
        for number, dispatch in enumerate(dispatches):
            path = ("passes", name, number)
            yield from _bindings(value, dispatch, path)
            parameters, count = dispatch["parameters"], len(value["parameters"])
            if parameters >= count:
                where = (*path, "parameters")
                yield _finding("parameters-unknown", where, parameters=parameters, count=count)
            if name in _ONE_POSITION:
                for at, size in enumerate(dispatch["workgroups"]):
                    if isinstance(size, dict):
                        yield _finding("workgroups-not-constant", (*path, "workgroups", at), workgroups=size)


def _bindings(value: Json, dispatch: Json, path: Sequence[str | int]) -> Iterator[Finding]:
    bindings, entry_point = dispatch["bindings"], dispatch["entry_point"]
    for at, name in enumerate(bindings):
        if name not in value["weights"] and name not in value["buffers"]:
            yield _finding("binding-unknown", (*path, "bindings", at), name=name)
    access = value["pipelines"].get(entry_point)
    if access is None:
        yield _finding("pipeline-unknown", (*path, "entry_point"), entry_point=entry_point)
        return
    if len(bindings) != len(access):
        counts = {"bindings": len(bindings), "expected": len(access)}
        yield _finding("binding-count-wrong", (*path, "bindings"), **counts)
        return
    times = Counter(bindings)
    for at, (name, kind) in enumerate(zip(bindings, access, strict=True)):
        if kind == "read":
            continue
        if name in value["weights"]:
            yield _finding("weight-written", (*path, "bindings", at), name=name)
        if times[name] > 1:
            where = (*path, "bindings", at)
            yield _finding("written-buffer-bound-again", where, name=name, count=times[name])
