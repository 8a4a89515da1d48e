"""Invalid: stage shards, the preamble."""

from __future__ import annotations

import struct

from vectors.cases.control import control_raw, control_shards
from vectors.kit.package import Package, Sealed
from vectors.kit.registry import invalid
from vectors.kit.shard import MAGIC

LENGTH = 768

MAGICS = {
    "of GGUF": b"GGUF\x03\0\0\0",
    "of zeros": bytes(8),
    "without the high bit": b"\x09" + MAGIC[1:],
    "with its line ends changed to LF": b"\x89LLQ\n\x1a\n\n",
    "in lower case": b"\x89llq\r\n\x1a\n",
    "of PNG": b"\x89PNG\r\n\x1a\n",
    "in reverse": MAGIC[::-1],
    "with another last byte": MAGIC[:7] + b"\r",
    "of an HTML page": b"<!DOCTYP",
}


@invalid("LLQ-SHARD-2", cases=MAGICS)
def magic(data: bytes) -> Package:
    """The magic of a shard is wrong ({}): it MUST be 89 4C 4C 51 0D 0A 1A 0A."""
    return control_raw().poke(0, data)


@invalid("LLQ-SHARD-2")
def magic_of_the_second_shard() -> Package:
    """The magic of the second shard is wrong."""
    return control_shards().poke(0, b"\0", index=1)


VERSIONS = {
    "0.0": (0, 0),
    "0.1, fields exchanged": (0, 1),
    "1.1": (1, 1),
    "2.0": (2, 0),
    "256.0, byte-swapped": (256, 0),
    "65535.65535": (65_535, 65_535),
    "1.65535": (1, 65_535),
    "257.256, which 8 bits hold as 1.0": (257, 256),
}


@invalid("LLQ-SHARD-3", cases=VERSIONS)
def shard_version(numbers: tuple[int, int]) -> Package:
    """The version of a preamble is {}, and MUST be 1.0."""
    return control_raw().poke(8, struct.pack("<HH", *numbers))


INDICES = {
    "1 of 1, counted from 1": (1, 1),
    "0 of 0": (0, 0),
    "0 of 2": (0, 2),
    "0 of 1, byte-swapped": (0, 1 << 24),
    "4294967295 of 1": (2**32 - 1, 1),
    "65536 of 1": (65_536, 1),
    "0 of 65537": (0, 65_537),
}


@invalid("LLQ-SHARD-4", cases=INDICES)
def shard_index(numbers: tuple[int, int]) -> Package:
    """The preamble of the only shard states {}."""
    return control_raw().poke(12, struct.pack("<II", *numbers))


@invalid("LLQ-SHARD-4")
def shards_exchanged() -> Sealed:
    """The contents of two shards of equal length are exchanged; the metadata are good."""
    sealed = control_shards().seal()
    first, second = (name for name in sealed.files if name.endswith(".llq"))
    sealed.files[first], sealed.files[second] = sealed.files[second], sealed.files[first]
    return sealed


@invalid("LLQ-SHARD-4")
def same_shard_twice() -> Sealed:
    """The second shard is a copy of the first."""
    sealed = control_shards().seal()
    first, second = (name for name in sealed.files if name.endswith(".llq"))
    sealed.files[second] = sealed.files[first]
    return sealed


LENGTHS = {
    "0": struct.pack("<Q", 0),
    "without the preamble": struct.pack("<Q", LENGTH - 256),
    "256 more": struct.pack("<Q", LENGTH + 256),
    "big endian": struct.pack(">Q", LENGTH),
    "2^32 more": struct.pack("<Q", LENGTH + 2**32),
    "2^63 more": struct.pack("<Q", LENGTH + 2**63),
    "2^64 - 1": b"\xff" * 8,
}


@invalid("LLQ-SHARD-5", "LLQ-DEQ-6", cases=LENGTHS)
def preamble_length(data: bytes) -> Package:
    """The byte_length of a preamble is wrong ({}): it MUST equal the shard's byte_length in the metadata."""
    return control_raw().poke(24, data)


@invalid("LLQ-SHARD-6", cases={str(offset): offset for offset in (20, 23, 32, 128, 255)})
def preamble_reserved(offset: int) -> Package:
    """Byte {} of a preamble is 1: every reserved byte MUST be zero."""
    return control_raw().poke(offset, b"\1")


SECOND: dict[str, tuple[str, int, bytes]] = {
    "version": ("LLQ-SHARD-3", 8, struct.pack("<HH", 1, 1)),
    "index": ("LLQ-SHARD-4", 12, struct.pack("<I", 0)),
    "count": ("LLQ-SHARD-4", 16, struct.pack("<I", 3)),
    "length": ("LLQ-SHARD-5", 24, struct.pack("<Q", 3072 + 256)),
    "reserved byte": ("LLQ-SHARD-6", 23, b"\1"),
}


def of_the_second_shard(rule: str) -> None:
    """Register the vectors of a rule whose error is in the preamble of the second of two shards."""
    cases = {name: (offset, data) for name, (of, offset, data) in SECOND.items() if of == rule}

    @invalid(rule, cases=cases)
    def second_preamble(change: tuple[int, bytes]) -> Package:
        """The {} in the preamble of the second of two shards is wrong."""
        offset, data = change
        return control_shards().poke(offset, data, index=1)


for _rule in ("LLQ-SHARD-3", "LLQ-SHARD-4", "LLQ-SHARD-5", "LLQ-SHARD-6"):
    of_the_second_shard(_rule)
