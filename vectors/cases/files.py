"""Invalid: stage files, the directory."""

from __future__ import annotations

from vectors.cases.control import control, control_files, control_raw, control_shards
from vectors.kit.package import Sealed
from vectors.kit.registry import invalid

SHARD = "vector-00001-of-00001.llq"
SECOND = "vector-00002-of-00002.llq"
MEMBERS = {"tokenizer": "tokenizer.json", "module": "vector.wgsl", "program": "program.json"}
LENGTH = 768


@invalid("LLQ-PKG-6")
def shard_missing() -> Sealed:
    """The only shard is missing: every file that the metadata names MUST exist."""
    sealed = control_raw().seal()
    del sealed.files[SHARD]
    return sealed


@invalid("LLQ-PKG-6")
def second_shard_missing() -> Sealed:
    """The second of two shards is missing."""
    sealed = control_shards().seal()
    del sealed.files[SECOND]
    return sealed


@invalid("LLQ-PKG-6", cases=MEMBERS)
def file_missing(name: str) -> Sealed:
    """The {} is missing."""
    sealed = control_files().seal()
    del sealed.files[name]
    return sealed


@invalid("LLQ-PKG-6", cases={"shard": SHARD, **MEMBERS})
def file_in_another_case(name: str) -> Sealed:
    """The file of the {} has its first letter in capitals: names are compared byte by byte."""
    return control_files().seal().then("rename", name, to=name.capitalize())


@invalid("LLQ-PKG-6")
def shard_in_a_subdirectory() -> Sealed:
    """The shard is in a subdirectory of the package."""
    sealed = control_raw().seal()
    sealed.files["weights/" + SHARD] = sealed.files.pop(SHARD)
    return sealed


@invalid("LLQ-PKG-7", cases={"directory": "directory", "FIFO": "fifo"})
def shard_is_a(op: str) -> Sealed:
    """A shard is a {}, and MUST be a regular file."""
    return control_raw().seal().then(op, SHARD)


@invalid("LLQ-PKG-7")
def shard_is_a_symlink() -> Sealed:
    """A shard is a symbolic link to the good shard next to it, and MUST NOT be a symbolic link."""
    return control_raw().seal().then("rename", SHARD, to="blob").then("symlink", SHARD, target="blob")


@invalid(
    "LLQ-PKG-7", cases={"/dev/zero": "/dev/zero", "its own directory": ".", "metadata.json": "metadata.json"}
)
def shard_links_to(target: str) -> Sealed:
    """A shard is a symbolic link to {}."""
    return control_raw().seal().then("symlink", SHARD, target=target)


@invalid("LLQ-PKG-7")
def second_shard_is_a_symlink() -> Sealed:
    """The second of two shards is a symbolic link to the good shard next to it."""
    sealed = control_shards().seal()
    return sealed.then("rename", SECOND, to="blob").then("symlink", SECOND, target="blob")


@invalid("LLQ-PKG-7", cases={"directory": "directory", "FIFO": "fifo"})
def second_shard_is_a(op: str) -> Sealed:
    """The second of two shards is a {}."""
    return control_shards().seal().then(op, SECOND)


@invalid("LLQ-PKG-7")
def shard_links_to_a_missing_file() -> Sealed:
    """A shard is a symbolic link whose target is missing: it is an entry of the directory all the same."""
    return control_raw().seal().then("symlink", SHARD, target="missing")


@invalid("LLQ-PKG-7")
def tokenizer_links_to_a_missing_file() -> Sealed:
    """The tokenizer is a symbolic link whose target is missing."""
    return control_files().seal().then("symlink", "tokenizer.json", target="missing/tokenizer.json")


@invalid("LLQ-PKG-7", cases=MEMBERS)
def symlink_as(name: str) -> Sealed:
    """The {} is a symbolic link to a good file."""
    return control_files().seal().then("rename", name, to="blob").then("symlink", name, target="blob")


@invalid("LLQ-PKG-7")
def tokenizer_is_a_fifo() -> Sealed:
    """The tokenizer is a FIFO, which blocks every process that opens it."""
    return control_files().seal().then("fifo", "tokenizer.json")


CUTS = {
    "the first byte": 0,
    "half the magic": 4,
    "the magic": 8,
    "byte_length in the preamble": 31,
    "one byte less than the preamble": 255,
    "the preamble": 256,
    "the first value of a raw tensor": 258,
    "a raw tensor without its padding": 266,
    "the raw tensor": 512,
    "block_rows": 516,
    "the fields of the slot": 528,
    "the slot": 768,
    "half a scale": 769,
    "the scales without padding": 770,
    "the scale section": 1024,
    "the zero points without padding": 1025,
    "the zero_point section": 1280,
    "the low plane": 2304,
    "one byte less than the shard": 3327,
}


@invalid("LLQ-PKG-8", cases=CUTS)
def shard_ends_after(length: int) -> Sealed:
    """The file of a shard ends after {}: its length MUST equal its byte_length."""
    sealed = control().seal()
    sealed.files[SHARD] = sealed.files[SHARD][:length]
    return sealed


@invalid("LLQ-PKG-8", cases={"a NUL": b"\0", "256 NUL bytes": bytes(256), "a newline": b"\n"})
def shard_followed_by(data: bytes) -> Sealed:
    """The file of a shard ends with {} more than byte_length counts."""
    sealed = control_raw().seal()
    sealed.files[SHARD] += data
    return sealed


@invalid("LLQ-PKG-8", cases={"2^40": 2**40, "2^32 more": 2**32 + LENGTH, "2^32": 2**32})
def shard_grown(byte_length: int) -> Sealed:
    """The file of a shard is sparse and much too long ({})."""
    return control_raw().seal().then("truncate", SHARD, byte_length=byte_length)


@invalid("LLQ-PKG-8")
def second_shard_cut() -> Sealed:
    """The file of the second of two shards lacks its last byte."""
    sealed = control_shards().seal()
    sealed.files[SECOND] = sealed.files[SECOND][:-1]
    return sealed


@invalid("LLQ-PKG-8", cases=MEMBERS)
def file_longer(name: str) -> Sealed:
    """The file of the {} is one newline longer than its byte_length."""
    sealed = control_files().seal()
    sealed.files[name] += b"\n"
    return sealed


@invalid("LLQ-PKG-8")
def tokenizer_empty() -> Sealed:
    """The file of the tokenizer is empty."""
    sealed = control_files().seal()
    sealed.files["tokenizer.json"] = b""
    return sealed


EXTRA = {
    "of an older export": "vector-00001-of-00002.llq",
    "of another package": "other-00001-of-00001.llq",
    "in capitals": "OTHER.LLQ",
    "in both cases": "other.lLq",
    "without a name": ".llq",
    "hidden": ".vector-00001-of-00001.llq",
}


@invalid("LLQ-PKG-9", cases=EXTRA)
def extra_shard(name: str) -> Sealed:
    """There is a file ({}) whose name ends in .llq and that the metadata does not name."""
    sealed = control_raw().seal()
    sealed.files[name] = sealed.files[SHARD]
    return sealed


@invalid("LLQ-PKG-9")
def extra_empty_shard() -> Sealed:
    """There is an empty file whose name ends in .llq and that the metadata does not name."""
    sealed = control_raw().seal()
    sealed.files["vector-00002-of-00002.llq"] = b""
    return sealed
