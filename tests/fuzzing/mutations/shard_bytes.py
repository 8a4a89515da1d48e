"""Mutations of a shard: fields of preamble and slots, scales, zero points, codes, padding, length."""

import struct
from random import Random

from tests.fuzzing.json_tree import Tree, integer, items, member

_WORDS = [
    0,
    1,
    2,
    63,
    64,
    65,
    255,
    256,
    257,
    0x3C00,
    0x6FFF,
    0x7000,
    0x7BFF,
    0x7C00,
    0x7E00,
    0x8000,
    0x0400,
    0x03FF,
]
_LONG_WORDS = [
    *_WORDS,
    0x3F800000,
    0x3F800001,
    0x7F800000,
    0x7FC00000,
    0xFF800000,
    0x80000000,
    0xFFFFFFFF,
    0x00800000,
]


def mutate(data: bytes, tree: Tree, index: int, rng: Random) -> bytes:
    """Return a changed shard; the tree of metadata.json says where its parts are."""
    change = rng.random()
    if change < 0.12:
        return _resized(data, rng)
    offsets = _places(data, tree, index, rng)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        data = _overwritten(data, rng.choice(offsets), rng)
    return data


def _places(data: bytes, tree: Tree, index: int, rng: Random) -> list[int]:
    """Return offsets of each kind: fields, first items of sections, padding, any byte."""
    places = [0, 7, 8, 10, 12, 16, 20, 24, 28, 32, 255, rng.randrange(256)]
    for tensor in items(tree, "tensors"):
        for part in items(tensor, "parts"):
            if integer(member(part, "shard")) == index:
                offset, length = integer(member(part, "offset")), integer(member(part, "byte_length"))
                places += _places_of_part(offset, length, rng)
    places += [rng.randrange(len(data) or 1) for _ in range(2)]
    return [place for place in places if 0 <= place < len(data)] or [0]


def _places_of_part(start: int | None, length: int | None, rng: Random) -> list[int]:
    if start is None or length is None or length < 1:
        return []
    fields = [start + field for field in (0, 4, 8, 12, 16, 255)]
    sections = [start + 256 * number for number in range(1, min(5, length // 256 + 1))]
    behind = [section + rng.randrange(256) for section in sections]
    inside = [start + rng.randrange(length) for _ in range(3)]
    return [*fields, *sections, *behind, *inside, start + length - 1, start + length - 2]


def _overwritten(data: bytes, at: int, rng: Random) -> bytes:
    kind = rng.random()
    if kind < 0.35:
        piece = bytes([rng.choice([0, 1, 2, 4, 16, 64, 127, 128, 255, rng.randrange(256)])])
    elif kind < 0.6:
        piece = struct.pack("<H", rng.choice(_WORDS))
    elif kind < 0.85:
        piece = struct.pack("<I", rng.choice([*_LONG_WORDS, at, at + 256, len(data)]))
    elif kind < 0.95:
        piece = struct.pack(
            "<Q", rng.choice([0, 1, len(data), len(data) + (1 << 32), 1 << 63, (1 << 64) - 1])
        )
    else:
        piece = bytes([rng.choice([0, 0xFF, rng.randrange(256)])]) * rng.choice([4, 16, 256])
    return (data[:at] + piece + data[at + len(piece) :])[: max(len(data), at)]


def _resized(data: bytes, rng: Random) -> bytes:
    change = rng.choice([-256, 256, -1, 1, -2048, 512, 0, 256])
    if change == 0:
        return data[: rng.choice([0, 1, 31, 255, 256, 512])]
    filler = rng.choice([b"\0", b"\0", b"\xff"])
    return data[:change] if change < 0 else data + filler * change
