"""Stage `program`, the execution program: program.json against module and metadata (rules LLQ-PROG-n)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from llq_format.format.layout import SHARD_LIMIT_DEFAULT
from llq_format.format.shard import PREAMBLE_BYTES
from llq_format.metadata.canonical_json import canonical, parse
from llq_format.metadata.findings import Finding, Place, shown
from llq_format.metadata.metadata import Metadata
from llq_format.metadata.model import Model
from llq_format.metadata.schema import check_program as check_schema
from llq_format.metadata.schema import pointer
from llq_format.validation.module import Section

FILE_NAME = "program.json"
MAX_BYTES = 1 << 24
MAX_BINDING = 128 << 20  # WebGPU's default maxStorageBufferBindingSize
_STATE_BYTES = 256
_ONE_POSITION = ("last", "greedy", "sample")

Json = Any


def check_program_text(data: bytes) -> tuple[Json, list[Finding]]:
    """Return the value of program.json, and the breaches of rules LLQ-PROG-1 to LLQ-PROG-4.

    The value means something only if there is no finding.
    """
    if not 2 <= len(data) <= MAX_BYTES:
        return None, [program_size(len(data))]
    value, findings = parse(data, FILE_NAME)
    if findings:
        first = min(findings, key=lambda finding: finding.order)
        found = f"{first.found} ({first.rule})"
        return None, [Finding("LLQ-PROG-2", first.where, found, first.expected)]
    found_schema = check_schema(value, FILE_NAME)
    expected = canonical(value)
    if data != expected:
        at = next(
            (i for i, (a, b) in enumerate(zip(data, expected, strict=False)) if a != b),
            min(len(data), len(expected)),
        )
        found, wanted = shown(data[at : at + 16]), shown(expected[at : at + 16])
        place = Place(file=FILE_NAME, offset=at)
        return None, [Finding("LLQ-PROG-2", place, f"{found} (LLQ-CANON-1)", wanted), *found_schema]
    return value, found_schema


def program_size(size: int) -> Finding:
    """Return the finding of a program.json of the wrong size."""
    return Finding("LLQ-PROG-1", Place(file=FILE_NAME), f"{size} bytes", f"2 to {MAX_BYTES} bytes")


def check_program(
    value: Json, metadata: Metadata, model: Model, sections: Sequence[Section]
) -> list[Finding]:
    """Return the breaches of rules LLQ-PROG-5 to LLQ-PROG-21, in order.

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


def _finding(rule: str, path: Sequence[str | int], found: str, expected: str) -> Finding:
    return Finding(rule, Place(pointer=pointer(path), file=FILE_NAME), found, expected)


def _variants(value: Json, sections: Sequence[Section]) -> Iterator[Finding]:
    variants = value["variants"]
    for member in ("features", "language", "directives"):
        if variants[0][member]:
            path = ("variants", 0, member)
            yield _finding("LLQ-PROG-5", path, shown(variants[0][member]), "nothing")
    names = Counter(variant["name"] for variant in variants)
    known = {section.name for section in sections}
    for number, variant in enumerate(variants):
        if names[variant["name"]] > 1:
            yield _finding("LLQ-PROG-6", ("variants", number, "name"), shown(variant["name"]), "another name")
        for at, name in enumerate(variant["sections"]):
            if name not in known:
                where = ("variants", number, "sections", at)
                yield _finding("LLQ-PROG-7", where, shown(name), "a section of the module")
    portable = [section.name for section in sections if section.portable]
    if variants[0]["sections"] != portable:
        path = ("variants", 0, "sections")
        yield _finding("LLQ-PROG-8", path, shown(variants[0]["sections"]), shown(portable))


def _entry_points(value: Json, sections: Sequence[Section]) -> Iterator[Finding]:
    held = {section.name: section.entry_points for section in sections}
    for variant in value["variants"]:
        count = Counter(name for section in variant["sections"] for name in held.get(section, ()))
        for name in value["pipelines"]:
            if count[name] != 1:
                found = f"{count[name]} in variant {variant['name']}"
                yield _finding("LLQ-PROG-9", ("pipelines", name), found, "one entry point of that name")


def _weights(value: Json, metadata: Metadata) -> Iterator[Finding]:
    for name, found in value["weights"].items():
        if name in value["buffers"]:
            yield _finding("LLQ-PROG-10", ("weights", name), "a buffer of that name too", "another name")
        if found["shard"] >= len(metadata.shards):
            path = ("weights", name, "shard")
            yield _finding("LLQ-PROG-11", path, f"{found['shard']}", f"less than {len(metadata.shards)}")
            continue
        length = metadata.shards[found["shard"]].byte_length
        first, end = found["offset"], found["offset"] + found["size"]
        if first < PREAMBLE_BYTES or end > length:
            expected = f"bytes {PREAMBLE_BYTES} to {length - 1}"
            yield _finding("LLQ-PROG-11", ("weights", name), f"bytes {first} to {end - 1}", expected)
        if length > SHARD_LIMIT_DEFAULT:
            expected = f"at most {SHARD_LIMIT_DEFAULT}"
            yield _finding("LLQ-PROG-11", ("weights", name, "shard"), f"a shard of {length} bytes", expected)


def _buffers(value: Json) -> Iterator[Finding]:
    for name, buffer in value["buffers"].items():
        fixed, growing = buffer["bytes"], buffer["bytes_per_position"]
        size = fixed + growing * value["context_length"]
        if not 1 <= size <= MAX_BINDING:
            yield _finding("LLQ-PROG-12", ("buffers", name), f"{size} bytes", f"1 to {MAX_BINDING}")


def _known_buffers(value: Json, model: Model) -> Iterator[Finding]:
    """Check what the executor reads and writes itself, and the context."""
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
            yield _finding("LLQ-PROG-13", ["buffers"], "nothing", f"a buffer {name!r}")
        else:
            yield from _sized(name, buffer, size, 0, "zero")
    for name, buffer in value["buffers"].items():
        if buffer["init"] == "rope" and name not in sizes:
            yield from _sized(name, buffer, 0, 4 * model.head_dim, "rope")
    if value["context_length"] > model.context_length:
        found, expected = f"{value['context_length']}", f"at most {model.context_length}"
        yield _finding("LLQ-PROG-14", ("context_length",), found, expected)


def _sized(name: str, buffer: Json, fixed: int, growing: int, init: str) -> Iterator[Finding]:
    for member, expected in (("bytes", fixed), ("bytes_per_position", growing), ("init", init)):
        if buffer[member] != expected:
            path = ("buffers", name, member)
            yield _finding("LLQ-PROG-13", path, f"{buffer[member]}", f"{expected}")


def _dispatches(value: Json) -> Iterator[Finding]:
    for name, dispatches in value["passes"].items():
        for number, dispatch in enumerate(dispatches):
            path = ("passes", name, number)
            yield from _bindings(value, dispatch, path)
            if dispatch["parameters"] >= len(value["parameters"]):
                found, expected = f"{dispatch['parameters']}", f"less than {len(value['parameters'])}"
                yield _finding("LLQ-PROG-20", (*path, "parameters"), found, expected)
            if name in _ONE_POSITION:
                for at, size in enumerate(dispatch["workgroups"]):
                    if isinstance(size, dict):
                        yield _finding("LLQ-PROG-21", (*path, "workgroups", at), shown(size), "a number")


def _bindings(value: Json, dispatch: Json, path: Sequence[str | int]) -> Iterator[Finding]:
    bindings, entry_point = dispatch["bindings"], dispatch["entry_point"]
    for at, name in enumerate(bindings):
        if name not in value["weights"] and name not in value["buffers"]:
            yield _finding("LLQ-PROG-17", (*path, "bindings", at), shown(name), "a range or buffer")
    access = value["pipelines"].get(entry_point)
    if access is None:
        yield _finding("LLQ-PROG-15", (*path, "entry_point"), shown(entry_point), "a member of pipelines")
        return
    if len(bindings) != len(access):
        yield _finding("LLQ-PROG-16", (*path, "bindings"), f"{len(bindings)}", f"{len(access)}")
        return
    times = Counter(bindings)
    for at, (name, kind) in enumerate(zip(bindings, access, strict=True)):
        if kind == "read":
            continue
        if name in value["weights"]:
            yield _finding("LLQ-PROG-18", (*path, "bindings", at), f"{name} for writing", "a buffer")
        if times[name] > 1:
            found = f"{name} bound {times[name]} times"
            yield _finding("LLQ-PROG-19", (*path, "bindings", at), found, "once, for it is written")
