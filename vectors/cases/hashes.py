"""Invalid: stage hashes."""

from __future__ import annotations

from dataclasses import replace

from vectors.cases.control import (
    BIAS,
    BIAS_TENSOR,
    PACKED,
    SCALE,
    SLOT,
    WEIGHT_TENSOR,
    ZERO_POINT,
    control,
    control_files,
    control_parts,
    control_shards,
    split_matrix,
)
from vectors.kit.package import Package, Sealed, assemble, digest_of
from vectors.kit.registry import invalid

PART = "/tensors/1/parts/0/sha256"
PACKED_OF_SHARD = 1024
"""The offset of the codes in a shard of the matrix that is split."""


def flipped(data: bytes, offset: int, bit: int = 0) -> bytes:
    """Return data with one bit flipped."""
    changed = bytearray(data)
    changed[offset] ^= 1 << bit
    return bytes(changed)


PLACES = {
    "a raw value": (BIAS, 0),
    "a scale": (SCALE, 0),
    "a zero_point": (ZERO_POINT, 1),
    "the first code": (PACKED, 0),
    "the high plane": (PACKED + 1024, 3),
}


@invalid("LLQ-HASH-1", cases=PLACES)
def bit_flipped_in(place: tuple[int, int]) -> Sealed:
    """A bit is flipped in {}: the SHA-256 of a part's bytes MUST equal its sha256."""
    sealed = control().seal()
    name = "vector-00001-of-00001.llq"
    sealed.files[name] = flipped(sealed.files[name], *place)
    return sealed


SHARDS = {"second of two": (2, 2), "second of three": (2, 3), "third of three": (3, 3)}


@invalid("LLQ-HASH-1", cases=SHARDS)
def bit_flipped_in_the_shard(number: tuple[int, int]) -> Sealed:
    """A bit of a code is flipped in the {} shards."""
    index, count = number
    sealed = assemble([split_matrix(64 * count)], shard_limit=3072).seal()
    name = f"vector-{index:05d}-of-{count:05d}.llq"
    sealed.files[name] = flipped(sealed.files[name], PACKED_OF_SHARD, 2)
    return sealed


def three_tensors() -> Package:
    """Return the control with one more raw tensor, which follows the matrix."""
    return assemble([BIAS_TENSOR, WEIGHT_TENSOR, replace(BIAS_TENSOR, name="x")])


@invalid("LLQ-HASH-1", "LLQ-READ-4")
def damaged_tensor_between_sound_tensors() -> Sealed:
    """A bit of the matrix is flipped; the tensors before and after it are sound."""
    sealed = three_tensors().seal()
    name = "vector-00001-of-00001.llq"
    sealed.files[name] = flipped(sealed.files[name], PACKED)
    sealed.damaged = ("weight",)
    return sealed


@invalid("LLQ-DEQ-1", "LLQ-READ-4")
def bad_scale_between_sound_tensors() -> Sealed:
    """The scale of the matrix is 0, and its hash fits; the tensors before and after it are sound."""
    sealed = three_tensors().poke(SCALE, b"\0\0").seal()
    sealed.damaged = ("weight",)
    return sealed


@invalid("LLQ-HASH-1")
def part_hash_one_digit_off() -> Package:
    """The last digit of a part's sha256 is changed."""
    package = control()
    good = package.get(PART)
    return package.set(PART, good[:-1] + ("1" if good[-1] == "0" else "0"))


@invalid("LLQ-HASH-1")
def part_hashes_exchanged() -> Package:
    """Two parts have each other's sha256."""
    package = control_shards()
    first, second = (f"/tensors/0/parts/{index}/sha256" for index in (0, 1))
    good = package.get(first), package.get(second)
    return package.set(first, good[1]).set(second, good[0])


HASHED = {
    "without its padding": (BIAS, BIAS + 10, "/tensors/0/parts/0/sha256"),
    "without its slot": (SCALE, None, PART),
    "with the preamble": (0, None, PART),
    "without its last byte": (SLOT, -1, PART),
    "of no bytes": (0, 0, PART),
}


@invalid("LLQ-HASH-1", cases=HASHED)
def part_hashed(change: tuple[int, int | None, str]) -> Package:
    """The sha256 of a part covers other bytes ({}): it MUST cover all byte_length bytes."""
    first, last, pointer = change
    package = control()
    return package.set(pointer, digest_of(package.shards[0][first:last]))


@invalid("LLQ-HASH-1")
def tensor_hash_in_every_part() -> Package:
    """Each part has the sha256 of all parts of its tensor together."""
    package = control_parts()
    parts = package.get("/tensors/0/parts")
    data = b"".join(
        package.shards[part["shard"]][part["offset"] : part["offset"] + part["byte_length"]] for part in parts
    )
    for part in parts:
        part["sha256"] = digest_of(data)
    return package


@invalid("LLQ-HASH-2", cases={"0": "/shards/0", "1": "/shards/1"})
def shard_hash_one_digit_off(pointer: str) -> Package:
    """The first digit of the sha256 of shard {} is changed: it MUST be the SHA-256 of the file."""
    package = control_shards()
    good = package.get(pointer + "/sha256")
    return package.set(pointer + "/sha256", ("1" if good[0] == "0" else "0") + good[1:])


@invalid("LLQ-HASH-2")
def shard_hashed_without_preamble() -> Package:
    """The sha256 of a shard covers its parts without the preamble."""
    package = control()
    return package.set("/shards/0/sha256", digest_of(package.shards[0][256:]))


@invalid("LLQ-HASH-2")
def shard_hash_of_the_digest() -> Package:
    """The sha256 of a shard is the SHA-256 of its SHA-256."""
    package = control()
    return package.set("/shards/0/sha256", digest_of(bytes.fromhex(package.get("/shards/0/sha256"))))


MEMBERS = {"tokenizer": "tokenizer.json", "module": "vector.wgsl", "program": "program.json"}


@invalid("LLQ-HASH-2", cases=MEMBERS)
def bit_flipped_in_the(name: str) -> Sealed:
    """A bit is flipped in the {}: the SHA-256 of a file's bytes MUST equal the sha256 of its entry."""
    sealed = control_files().seal()
    sealed.files[name] = flipped(sealed.files[name], 1)
    return sealed
