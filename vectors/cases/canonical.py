"""Invalid: stage canonical."""

from __future__ import annotations

import json
from typing import Any

from vectors.cases.control import control_files, control_model, control_raw
from vectors.kit.package import ZEROS, Package, Sealed, digest_of
from vectors.kit.registry import Key, invalid

SPELLINGS = {
    Key("a space behind a colon", "a space after a colon"): ('"offset":512', '"offset": 512'),
    Key("a space behind a comma", "a space after a comma"): ('"offset":512,', '"offset":512, '),
    "a newline in the root": ('"stem"', '\n"stem"'),
    "a space in an empty array": ('"extensions_used":[]', '"extensions_used":[ ]'),
    "an escaped letter": ('"name":"weight"', '"name":"w\\u0065ight"'),
    "an escaped letter in a name": ('"offset":512', '"\\u006fffset":512'),
    "an escaped solidus": ('"text":"/\u00e9\\n\\u001f"', '"text":"\\/\u00e9\\n\\u001f"'),
    "an escaped accent": ('"text":"/\u00e9\\n\\u001f"', '"text":"/\\u00e9\\n\\u001f"'),
    "a newline as 000a": ('"text":"/\u00e9\\n\\u001f"', '"text":"/\u00e9\\u000a\\u001f"'),
    "an escape in capitals": ('"text":"/\u00e9\\n\\u001f"', '"text":"/\u00e9\\n\\u001F"'),
    "a number with a trailing zero": ('"number":0.5', '"number":0.50'),
    "a number with an exponent": ('"number":0.5', '"number":5e-1'),
    "a number with too many digits": ('"number":0.5', '"number":0.50000000000000001'),
    "an integral number with a fraction": ('"number":0.5', '"number":1.0'),
    "minus zero": ('"number":0.5', '"number":-0'),
    "minus zero with a fraction": ('"number":0.5', '"number":-0.0'),
    "an exponent without plus sign": ('"number":0.5', '"number":1e21'),
    "an exponent with a leading zero": ('"number":0.5', '"number":1e-07'),
    "an exponent in capitals": ('"number":0.5', '"number":1E-7'),
    "1e-6 for 0.000001": ('"number":0.5', '"number":1e-6'),
    "1e20 for its 21 digits": ('"number":0.5', '"number":1e20'),
}


@invalid("LLQ-CANON-1", cases=SPELLINGS)
def spelled_with(change: tuple[str, str]) -> Package:
    """metadata.json is not in canonical form ({}): it MUST be the RFC 8785 serialization of its own value."""
    package = (
        control_raw().set("/extras", {"text": "/\u00e9\n\x1f", "number": 0.5}).set("/extensions_used", [])
    )
    return package.respell(*change)


@invalid("LLQ-CANON-1", cases={"1e-05": "1e-05"})
def eps_spelled(literal: str) -> Package:
    """rms_norm_eps is written as {}; RFC 8785 writes 0.00001."""
    return control_model().respell('"rms_norm_eps":0.00001', f'"rms_norm_eps":{literal}')


@invalid("LLQ-CANON-1")
def integer_written_as_minus_zero() -> Package:
    """first_row is written -0, which META-4 allows for an integer, and RFC 8785 writes 0."""
    return control_raw().respell('"first_row":0,"num_rows":4', '"first_row":-0,"num_rows":4')


@invalid("LLQ-CANON-1")
def nullable_integer_written_as_minus_zero() -> Package:
    """bos_token_id, which may be null, is written -0."""
    return control_files().set("/tokenizer/bos_token_id", 0).respell('"bos_token_id":0', '"bos_token_id":-0')


@invalid("LLQ-CANON-1")
def members_in_order_of_insertion() -> Sealed:
    """The members of objects are in the order in which a writer added them, and MUST be sorted."""
    return written(control_raw(), separators=(",", ":"))


@invalid("LLQ-CANON-1")
def indented() -> Sealed:
    """metadata.json is indented."""
    return written(control_raw(), indent=2, sort_keys=True)


@invalid("LLQ-CANON-1")
def ascii_only() -> Sealed:
    """Characters outside ASCII are escaped."""
    package = control_raw().set("/extras", {"name": "caf\u00e9 \U0001f999"})
    return written(package, separators=(",", ":"), sort_keys=True)


@invalid("LLQ-CANON-1")
def members_in_order_of_utf_8() -> Sealed:
    """Members are sorted by code points, and MUST be sorted by UTF-16 code units."""
    package = control_raw().set("/extras", {"\U0001f999": 1, "\uff21": 2})
    return written(package, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def written(package: Package, **style: Any) -> Sealed:
    """Return a package whose metadata Python's json module wrote in a given style."""
    text = json.dumps(package.metadata, **style).encode()
    sealed = package.seal()
    sealed.files["metadata.json"] = text.replace(ZEROS.encode(), digest_of(text).encode())
    return sealed


DIGESTS = {
    Key("that of no bytes", "the SHA-256 of no bytes"): digest_of(b""),
    Key("that of the first shard", "the SHA-256 of the first shard"): digest_of(control_raw().shards[0]),
    Key("that of another package", "the digest of another package"): "0123456789abcdef" * 4,
    "64 ones": "1" * 64,
}


@invalid("LLQ-CANON-2", cases=DIGESTS)
def digest(value: str) -> Package:
    """The digest is wrong ({}): it MUST be the SHA-256 of metadata.json with the digest zeroed."""
    return control_raw().set("/digest", value)


def redigested(text: bytes, digested: bytes) -> Sealed:
    """Return the control with the digest of some bytes."""
    sealed = control_raw().seal()
    sealed.files["metadata.json"] = text[:11] + digest_of(digested).encode() + text[75:]
    return sealed


@invalid("LLQ-CANON-2")
def digest_with_newline() -> Sealed:
    """The digest is the SHA-256 of the zeroed text and a newline."""
    text = control_raw().text()
    return redigested(text, text.replace(text[11:75], ZEROS.encode()) + b"\n")


@invalid("LLQ-CANON-2")
def digest_with_member_removed() -> Sealed:
    """The digest is computed without the member digest, and MUST be computed with 64 zeros in its place."""
    text = control_raw().text()
    return redigested(text, b"{" + text[77:])


@invalid("LLQ-CANON-2")
def digest_with_digest_empty() -> Sealed:
    """The digest is computed with an empty digest, and MUST be computed with 64 zeros."""
    text = control_raw().text()
    return redigested(text, text[:11] + text[75:])


@invalid("LLQ-CANON-2")
def digest_zeroed() -> Sealed:
    """The digest is the 64 zeros that replace it while it is computed."""
    sealed = control_raw().seal()
    text = sealed.files["metadata.json"]
    sealed.files["metadata.json"] = text[:11] + ZEROS.encode() + text[75:]
    return sealed


@invalid("LLQ-CANON-2")
def digest_one_digit_off() -> Sealed:
    """The last digit of the digest is changed."""
    sealed = control_raw().seal()
    text = sealed.files["metadata.json"]
    sealed.files["metadata.json"] = text[:74] + (b"1" if text[74:75] == b"0" else b"0") + text[75:]
    return sealed


@invalid("LLQ-CANON-2")
def extras_changed_afterwards() -> Sealed:
    """A letter in extras was changed after the digest was computed."""
    sealed = control_raw().set("/extras", {"note": "reviewed"}).seal()
    sealed.files["metadata.json"] = sealed.files["metadata.json"].replace(b"reviewed", b"Reviewed")
    return sealed
