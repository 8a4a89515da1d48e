"""Stage `program`: program.json by the letter of its chapter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vectors.kit.canonical import canonical
from vectors.kit.reading import json_grammar, json_schema
from vectors.kit.reading.module_text import Section, entry_points, sections

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = Any
_LARGEST_BINDING, _LARGEST_BUFFER = 134_217_728, 268_435_456


def rules(metadata: Json, module: bytes | None, program: bytes | None) -> set[str]:
    """Return the violations of a module and of a program; each may be absent."""
    if module is None:
        return set()
    of_module, found = sections(module)
    if program is None or "model" not in metadata:
        return found
    if not 2 <= len(program) <= 1 << 24:
        return found | {"PROG-1"}
    value, in_json = json_grammar.read(program)
    if in_json or canonical(value).encode() != program:
        return found | {"PROG-2"}
    in_schema = {
        rule if rule == "PROG-4" else "PROG-3"
        for rule in json_schema.check(json_schema.schema("program"), value)
    }
    if in_schema or {"WGSL-1", "WGSL-2"} & found:
        return found | in_schema
    return found | set(_relations(value, metadata, of_module))


def _relations(value: Json, metadata: Json, of_module: list[Section]) -> Iterator[str]:
    yield from _variants(value, of_module)
    yield from _weights(value, metadata["shards"])
    yield from _buffers(value, metadata["model"])
    slots = len(value["parameters"])
    for name, dispatches in value["passes"].items():
        for dispatch in dispatches:
            yield from _bindings(value, dispatch)
            if dispatch["parameters"] >= slots:
                yield "PROG-20"
            grid_of_integers = all(isinstance(size, int) for size in dispatch["workgroups"])
            if name in {"last", "greedy", "sample"} and not grid_of_integers:
                yield "PROG-21"


def _variants(value: Json, of_module: list[Section]) -> Iterator[str]:
    variants = value["variants"]
    first = variants[0]
    if first["features"] or first["language"] or first["directives"]:
        yield "PROG-5"
    if len({variant["name"] for variant in variants}) < len(variants):
        yield "PROG-6"
    by_name = {section.name: section for section in of_module}
    if any(name not in by_name for variant in variants for name in variant["sections"]):
        yield "PROG-7"
    if first["sections"] != [section.name for section in of_module if section.portable]:
        yield "PROG-8"
    for variant in variants:
        of_variant = [by_name[name] for name in variant["sections"] if name in by_name]
        names = [name for section in of_variant for name in entry_points(section)]
        if any(names.count(name) != 1 for name in value["pipelines"]):
            yield "PROG-9"


def _weights(value: Json, shards: list[Json]) -> Iterator[str]:
    if value["weights"].keys() & value["buffers"].keys():
        yield "PROG-10"
    for weight in value["weights"].values():
        if weight["shard"] >= len(shards):
            yield "PROG-11"
            continue
        length = shards[weight["shard"]]["byte_length"]
        within = 256 <= weight["offset"] <= length - weight["size"]
        if not within or length > _LARGEST_BUFFER:
            yield "PROG-11"


def _buffers(value: Json, model: Json) -> Iterator[str]:
    buffers, context = value["buffers"], value["context_length"]
    for buffer in buffers.values():
        lengths = [buffer["bytes"] + positions * buffer["bytes_per_position"] for positions in (1, context)]
        if min(lengths) < 1 or max(lengths) > _LARGEST_BINDING:
            yield "PROG-12"
    logits = 4 * model["vocab_size"]
    known = {
        "state": 256,
        "sampling": 256,
        "tokens": 4 * value["chunk"],
        "logits": logits,
        "all_logits": value["chunk"] * logits,
    }
    for name, length in known.items():
        if _content(buffers.get(name)) != (length, 0, "zero"):
            yield "PROG-13"
    for name, buffer in buffers.items():
        rope = (0, 4 * model["head_dim"], "rope")
        if name not in known and buffer["init"] == "rope" and _content(buffer) != rope:
            yield "PROG-13"
    if context > model["context_length"]:
        yield "PROG-14"


def _content(buffer: Json) -> tuple[int, int, str] | None:
    return None if buffer is None else (buffer["bytes"], buffer["bytes_per_position"], buffer["init"])


def _bindings(value: Json, dispatch: Json) -> Iterator[str]:
    names = dispatch["bindings"]
    if not set(names) <= value["weights"].keys() | value["buffers"].keys():
        yield "PROG-17"
    if dispatch["entry_point"] not in value["pipelines"]:
        yield "PROG-15"
        return
    accesses = value["pipelines"][dispatch["entry_point"]]
    if len(accesses) != len(names):
        yield "PROG-16"
        return
    written = [name for name, access in zip(names, accesses, strict=True) if access == "read_write"]
    if any(name in value["weights"] for name in written):
        yield "PROG-18"
    if any(names.count(name) > 1 for name in written):
        yield "PROG-19"
