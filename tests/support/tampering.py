"""Packages changed on disk after they were written, with or without making digest and hashes right again."""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rfc8785

from llq_format import validate

Change = Callable[[dict[str, Any]], object]


def read(package: Path) -> dict[str, Any]:
    """Return the metadata of a package as JSON values."""
    value: dict[str, Any] = json.loads((package / "metadata.json").read_bytes())
    return value


def seal(value: dict[str, Any]) -> bytes:
    """Return metadata in canonical form with the right digest."""
    blank = rfc8785.dumps({**value, "digest": "0" * 64})
    digest = hashlib.sha256(blank).hexdigest().encode()
    return re.sub(rb'(?<="digest":")0{64}', digest, blank, count=1)


def edit(package: Path, change: Change) -> None:
    """Change the metadata of a package and seal it."""
    value = read(package)
    change(value)
    (package / "metadata.json").write_bytes(seal(value))


def overwrite(package: Path, shard: int, offset: int, data: bytes, *, rehash: bool = True) -> None:
    """Overwrite bytes of a shard; with `rehash` the hashes of parts and shards match the new bytes."""
    entry = read(package)["shards"][shard]
    path = package / entry["file"]
    content = bytearray(path.read_bytes())
    content[offset : offset + len(data)] = data
    path.write_bytes(content)
    if rehash:
        edit(package, lambda value: _rehash(package, value))


def _rehash(package: Path, value: dict[str, Any]) -> None:
    shards = [(package / entry["file"]).read_bytes() for entry in value["shards"]]
    for entry, data in zip(value["shards"], shards, strict=True):
        entry["sha256"] = hashlib.sha256(data).hexdigest()
    for tensor in value["tensors"]:
        for part in tensor["parts"]:
            start = part["offset"]
            data = shards[part["shard"]][start : start + part["byte_length"]]
            part["sha256"] = hashlib.sha256(data).hexdigest()


def rules(package: Path) -> list[str]:
    """Return the rules of severity `error` that a package breaks, the first error first."""
    return [finding.rule for finding in validate(package) if finding.severity == "error"]


def contents(directory: Path) -> dict[str, bytes]:
    """Return the files of a directory by name."""
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}
