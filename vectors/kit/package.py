"""A package: metadata and shards, kept consistent, until a case breaks one thing on purpose."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from vectors.kit import shard
from vectors.kit.canonical import canonical
from vectors.kit.placement import Layout, place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vectors.kit.tensor import Tensor

STEM = "vector"
DEFAULT_LIMIT = 268_435_456
ZEROS = "0" * 64
Json = Any


def digest_of(data: bytes | bytearray) -> str:
    """Return a SHA-256 as metadata writes it."""
    return sha256(data).hexdigest()


@dataclass
class Sealed:
    """The files of a package, and the changes to a copy of them that git cannot store.

    base: the id of the valid vector whose files `setup` changes, if the package has none of its own.
    damaged: the names of the tensors whose bytes break a rule, where others are sound.
    """

    files: dict[str, bytes]
    tensors: list[Tensor] = field(default_factory=list)
    setup: list[dict[str, Json]] = field(default_factory=list)
    base: str | None = None
    damaged: tuple[str, ...] = ()

    def then(self, op: str, file: str, **arguments: Json) -> Sealed:
        """Add an operation of the setup."""
        self.setup.append({"op": op, "file": file, **arguments})
        return self


@dataclass
class Package:
    """A package under construction; its hashes always match its bytes."""

    metadata: dict[str, Json]
    names: list[str]
    shards: list[bytearray]
    tensors: list[Tensor]
    extra_files: dict[str, bytes] = field(default_factory=dict)
    spellings: list[tuple[bytes, bytes]] = field(default_factory=list)

    def get(self, pointer: str) -> Json:
        """Return the value at a JSON pointer."""
        value: Json = self.metadata
        for step in pointer.split("/")[1:]:
            value = value[int(step)] if isinstance(value, list) else value[step]
        return value

    def set(self, pointer: str, value: Json) -> Package:
        """Set the value at a JSON pointer."""
        parent, _, last = pointer.rpartition("/")
        container = self.get(parent)
        container[int(last) if isinstance(container, list) else last] = value
        return self

    def remove(self, pointer: str) -> Package:
        """Remove the value at a JSON pointer."""
        parent, _, last = pointer.rpartition("/")
        container = self.get(parent)
        del container[int(last) if isinstance(container, list) else last]
        return self

    def poke(self, offset: int, data: bytes, index: int = 0) -> Package:
        """Overwrite bytes of a shard and make the hashes fit."""
        self.shards[index][offset : offset + len(data)] = data
        return self.hash()

    def resize(self, byte_length: int, index: int = 0) -> Package:
        """Cut or lengthen a shard, and update its preamble, its entry and the hashes."""
        data = self.shards[index]
        self.shards[index] = data[:byte_length].ljust(byte_length, b"\0")
        self.metadata["shards"][index]["byte_length"] = byte_length
        return self.poke(24, struct.pack("<Q", byte_length), index)

    def hash(self) -> Package:
        """Compute the hashes of parts and shards from their bytes."""
        for tensor in self.metadata["tensors"]:
            for part in tensor["parts"]:
                data = self.shards[part["shard"]] if part["shard"] < len(self.shards) else b""
                part["sha256"] = digest_of(data[part["offset"] : part["offset"] + part["byte_length"]])
        for entry, data in zip(self.metadata["shards"], self.shards, strict=True):
            entry["sha256"] = digest_of(data)
        return self

    def attach(self, member: str, file: str, data: bytes, **members: Json) -> Package:
        """Add a tokenizer, module or program."""
        self.metadata[member] = {"file": file, "byte_length": len(data), "sha256": digest_of(data), **members}
        self.extra_files[file] = data
        return self

    def respell(self, old: str | bytes, new: str | bytes) -> Package:
        """Write a piece of metadata.json in a form that is not canonical, with the matching digest."""
        old = old.encode() if isinstance(old, str) else old
        new = new.encode() if isinstance(new, str) else new
        self.spellings.append((old, new))
        return self

    def text(self) -> bytes:
        """Return metadata.json."""
        text = canonical(self.metadata).encode()
        for old, new in self.spellings:
            if text.count(old) != 1:
                raise ValueError(f"{old!r} occurs {text.count(old)} times")
            text = text.replace(old, new)
        if self.metadata.get("digest") == ZEROS:
            text = text.replace(ZEROS.encode(), digest_of(text).encode(), 1)
        return text

    def seal(self) -> Sealed:
        """Return the files, metadata.json last."""
        shards = dict(zip(self.names, map(bytes, self.shards), strict=True))
        return Sealed({**shards, **self.extra_files, "metadata.json": self.text()}, self.tensors)


def assemble(
    tensors: Sequence[Tensor],
    *,
    stem: str = STEM,
    shard_limit: int = DEFAULT_LIMIT,
    layout: Layout | None = None,
    **members: Json,
) -> Package:
    """Return the package of tensors, laid out canonically unless a layout is given."""
    layout = layout or place(list(tensors), shard_limit)
    shards = [shard.render(runs, index, len(layout)) for index, runs in enumerate(layout)]
    entries: list[dict[str, Json]] = [
        {
            "file": f"{stem}-{index + 1:05d}-of-{len(shards):05d}.llq",
            "byte_length": len(data),
            "sha256": ZEROS,
        }
        for index, data in enumerate(shards)
    ]
    metadata: dict[str, Json] = {
        "version": "1.0",
        "stem": stem,
        "digest": ZEROS,
        "shard_limit": shard_limit,
        "shards": entries,
        "tensors": [tensor_entry(tensor, layout) for tensor in tensors],
        **members,
    }
    # What a case passes may be shared between cases, and is changed in place: hence the copy.
    metadata = json.loads(json.dumps(metadata))
    return Package(metadata, [entry["file"] for entry in entries], shards, list(tensors)).hash()


def tensor_entry(tensor: Tensor, layout: Layout) -> dict[str, Json]:
    """Return a tensor's entry in the metadata, its hashes still to be filled in."""
    parts = [
        {
            "shard": index,
            "offset": offset,
            "byte_length": byte_length,
            "first_row": run.first_row,
            "num_rows": run.num_rows,
            "sha256": ZEROS,
        }
        for index, runs in enumerate(layout)
        for run, (offset, byte_length) in zip(runs, shard.spans(runs), strict=True)
        if run.tensor is tensor
    ]
    shape = list(tensor.shape)
    return {"name": tensor.name, "dtype": tensor.dtype, "shape": shape, "parts": parts, **tensor.members}
