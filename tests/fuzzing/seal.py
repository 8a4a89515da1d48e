"""Lengths, hashes and the digest of a changed package, made right so that later stages are reached."""

import re
from random import Random

from tests.fuzzing.json_tree import Raw, Tree, integer, items, member
from tests.fuzzing.package import METADATA, ZEROS, Package, sha256

_DIGEST = re.compile(rb'(?<="digest":")[0-9a-f]{64}(?=")')
_ATTACHED = ("tokenizer", "module", "program")


def seal_entries(tree: Tree, package: Package, rng: Random | None = None) -> None:
    """Update lengths and hashes of files and parts; with a generator, leave a few as they are."""
    shards = items(tree, "shards")
    for number, entry in enumerate([*shards, *(member(tree, name) for name in _ATTACHED)]):
        data = _content(package, entry)
        if data is None or _spared(rng, 0.05):
            continue
        if number < len(shards) and not _spared(rng, 0.05):
            data = _with_length(data, entry, package)
        _set(entry, byte_length=Raw(str(len(data))), sha256=sha256(data))
    for tensor in items(tree, "tensors"):
        for part in items(tensor, "parts"):
            if not _spared(rng, 0.03):
                _seal_part(part, shards, package)


def _spared(rng: Random | None, probability: float) -> bool:
    return rng is not None and rng.random() < probability


def _content(package: Package, entry: Tree) -> bytes | None:
    """Return the bytes of the file that an entry names, None if there is none."""
    name = member(entry, "file")
    data = package.get(name) if isinstance(name, str) else None
    return data if isinstance(data, bytes) else None


def _with_length(data: bytes, entry: Tree, package: Package) -> bytes:
    """Write the length of a shard into its preamble, if the shard was made longer or shorter."""
    if integer(member(entry, "byte_length")) == len(data) or len(data) < 32:
        return data
    data = data[:24] + len(data).to_bytes(8, "little") + data[32:]
    package[entry["file"]] = data
    return data


def _seal_part(part: Tree, shards: list[Tree], package: Package) -> None:
    shard, offset, length = (integer(member(part, name)) for name in ("shard", "offset", "byte_length"))
    if shard is None or offset is None or length is None or not 0 <= shard < len(shards):
        return
    data = _content(package, shards[shard])
    if data is not None and offset >= 0:
        _set(part, sha256=sha256(data[offset : offset + max(length, 0)]))


def _set(entry: Tree, **members: str) -> None:
    """Set members that an entry has: a mutation may have removed them."""
    entry.update({name: value for name, value in members.items() if name in entry})


def seal_digest(package: Package) -> None:
    """Make the digest of metadata.json right."""
    text = package.get(METADATA)
    if isinstance(text, bytes):
        blank = _DIGEST.sub(ZEROS, text, count=1)
        package[METADATA] = _DIGEST.sub(sha256(blank).encode(), blank, count=1)
