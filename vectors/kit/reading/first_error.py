"""The first error of a package (READ-5): the stages in order, and in a stage the order of the registry."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import sha256
from typing import Any

from vectors.kit import affine
from vectors.kit.canonical import canonical
from vectors.kit.reading import index, json_grammar, json_schema, program, shard_bytes

Json = Any
Directory = Mapping[str, bytes | None]
"""The entries of a directory by name; None is an entry that is not a regular file."""

METADATA = "metadata.json"
_ATTACHED = ("tokenizer", "module", "program")


@cache
def ranks() -> dict[str, int]:
    """Return the rank of each rule in the registry, by its id without prefix."""
    registry = json.loads((json_schema.SPECIFICATION / "rules.json").read_text(encoding="utf-8"))
    return {entry["id"].removeprefix("LLQ-"): rank for rank, entry in enumerate(registry["rules"])}


def first_error(directory: Directory) -> str | None:
    """Return the rule of a package's first error, None if it conforms."""
    found = first_errors(directory)
    return f"LLQ-{min(found, key=ranks().__getitem__)}" if found else None


def first_errors(directory: Directory) -> set[str]:
    """Return the rules that a package violates in the first stage that has errors.

    Stages `shards` to `payload` count as one: their order in the registry decides.
    """
    data = directory.get(METADATA)
    if data is None:
        return {"PKG-1"}
    if not 2 <= len(data) <= 1 << 24:
        return {"PKG-2"}
    value, found = json_grammar.read(data)
    return (
        found
        or _version(value)
        or set(json_schema.check(json_schema.schema("metadata"), value))
        or (_stages_of(value, data, directory))
    )


def _version(value: Json) -> set[str]:
    """Return the violations of stage `version` (VER-2)."""
    if not isinstance(value, dict):
        return set()
    version, required = value.get("version"), value.get("extensions_required")
    unsupported = isinstance(version, str) and version != "1.0"
    names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
    unknown = set(names) - {affine.NAME}
    return ({"VER-1"} if unsupported else set()) | ({"EXT-1"} if unknown else set())


def _stages_of(metadata: Json, data: bytes, directory: Directory) -> set[str]:
    """Return the violations of the first stage after `schema` that has any."""
    stages = (  # generators: a stage is checked only if those before it hold
        _canonical(metadata, data),
        index.model_rules(metadata),
        index.tensors_rules(metadata),
        index.parts_rules(metadata),
        _files(metadata, directory),
    )
    for stage in stages:
        found = set(stage)
        if found:
            return found
    files = {name: content for name, content in directory.items() if content is not None}
    in_bytes = set(shard_bytes.rules(metadata, files))
    if in_bytes:
        return in_bytes
    module, of_program = (
        files[metadata[member]["file"]] if member in metadata else None for member in ("module", "program")
    )
    return program.rules(metadata, module, of_program)


def _canonical(metadata: Json, data: bytes) -> Iterator[str]:
    if canonical(metadata).encode() != data:
        yield "CANON-1"
        return
    blank = data[:11] + b"0" * 64 + data[75:]  # where the digits of `digest` are in a canonical file
    if sha256(blank).hexdigest() != metadata["digest"]:
        yield "CANON-2"


def _files(metadata: Json, directory: Directory) -> Iterator[str]:
    entries = [*metadata["shards"], *(metadata[member] for member in _ATTACHED if member in metadata)]
    for entry in entries:
        if entry["file"] not in directory:
            yield "PKG-6"
            continue
        content = directory[entry["file"]]
        if content is None:
            yield "PKG-7"
        elif len(content) != entry["byte_length"]:
            yield "PKG-8"
    named = {entry["file"] for entry in entries}
    if any(name[-4:].lower() == ".llq" and name not in named for name in directory):
        yield "PKG-9"
