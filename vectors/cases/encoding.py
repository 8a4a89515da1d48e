"""Invalid: stage read, and metadata.json that is not UTF-8."""

from __future__ import annotations

from vectors.cases.control import control_raw
from vectors.kit.package import Package, Sealed
from vectors.kit.registry import Key, invalid

METADATA = "metadata.json"


@invalid("LLQ-PKG-1")
def no_metadata() -> Sealed:
    """There is no metadata.json: a package MUST hold a regular file of that name."""
    sealed = control_raw().seal()
    del sealed.files[METADATA]
    return sealed


@invalid("LLQ-PKG-1", cases={"directory": "directory", "FIFO": "fifo"})
def metadata_is_a(op: str) -> Sealed:
    """metadata.json is a {}, and MUST be a regular file."""
    return control_raw().seal().then(op, METADATA)


@invalid("LLQ-PKG-1")
def metadata_is_a_symlink() -> Sealed:
    """metadata.json is a symbolic link to a good file next to it, and MUST be a regular file."""
    return (
        control_raw()
        .seal()
        .then("rename", METADATA, to="other.json")
        .then("symlink", METADATA, target="other.json")
    )


@invalid("LLQ-PKG-1")
def metadata_is_a_device() -> Sealed:
    """metadata.json is a symbolic link to /dev/zero, which never ends."""
    return control_raw().seal().then("symlink", METADATA, target="/dev/zero")


@invalid("LLQ-PKG-2", cases={"0": b"", "1": b"0"})
def metadata_length(data: bytes) -> Sealed:
    """The length of metadata.json is {}, and MUST be 2 to 16,777,216 bytes."""
    return replaced(data)


@invalid("LLQ-PKG-2", cases={"16777217": 2**24 + 1, "2^32 + 2": 2**32 + 2, "2^40": 2**40})
def metadata_grown_to(length: int) -> Sealed:
    """NUL bytes extend metadata.json to a length of {}: it MUST be at most 16,777,216 bytes long."""
    return control_raw().seal().then("truncate", METADATA, byte_length=length)


def replaced(data: bytes) -> Sealed:
    """Return the control with other bytes as metadata.json."""
    sealed = control_raw().seal()
    sealed.files[METADATA] = data
    return sealed


def around(before: bytes = b"", after: bytes = b"") -> Sealed:
    """Return the control with bytes before and after its metadata."""
    return replaced(before + control_raw().text() + after)


def noted(value: bytes) -> Package:
    """Return the control whose extras have a member `note`, its value written with given bytes."""
    return control_raw().set("/extras", {"note": 0}).respell(b'"note":0', b'"note":' + value)


NOT_UTF_8 = {
    "FF": b"\xff",
    "a lone continuation byte": b"\x80",
    "a cut sequence": b"\xe2\x82",
    "Latin-1": b"caf\xe9",
    "an overlong solidus": b"\xc0\xaf",
    "an overlong NUL": b"\xc0\x80",
    "an overlong letter of three bytes": b"\xe0\x81\x81",
    "an encoded surrogate": b"\xed\xa0\x80",
    "an encoded surrogate pair": b"\xed\xa0\xbe\xed\xb6\x99",
    Key("a character beyond 10FFFF", "a character above 10FFFF"): b"\xf4\x90\x80\x80",
    "a sequence of five bytes": b"\xf8\x88\x80\x80\x80",
}


@invalid("LLQ-JSON-1", cases=NOT_UTF_8)
def not_utf_8(data: bytes) -> Package:
    """A string in extras holds {}: metadata.json MUST be UTF-8."""
    return noted(b'"' + data + b'"')


@invalid("LLQ-JSON-1")
def byte_order_mark() -> Sealed:
    """metadata.json begins with EF BB BF: it MUST NOT begin with a byte order mark."""
    return around(before=b"\xef\xbb\xbf")


@invalid("LLQ-JSON-1", cases={"little": "utf-16-le", "big": "utf-16-be"})
def utf_16(encoding: str) -> Sealed:
    """metadata.json is {} endian UTF-16 with a byte order mark, and MUST be UTF-8."""
    return replaced(("\ufeff" + control_raw().text().decode()).encode(encoding))
