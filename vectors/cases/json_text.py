"""Invalid: stage json, the grammar of metadata.json."""

from __future__ import annotations

from vectors.cases.control import control_raw
from vectors.cases.encoding import around, noted, replaced
from vectors.kit.package import Package, Sealed
from vectors.kit.registry import Key, invalid


@invalid("LLQ-JSON-2")
def utf_16_without_mark() -> Sealed:
    """metadata.json is UTF-16 without a byte order mark: it is valid UTF-8, but not a JSON text."""
    return replaced(control_raw().text().decode().encode("utf-16-le"))


AROUND = {
    "trailing NUL": (b"", b"\0"),
    "trailing newline": (b"", b"\n"),
    "trailing space": (b"", b" "),
    "trailing comma": (b"", b","),
    "trailing brace": (b"", b"}"),
    "trailing control Z": (b"", b"\x1a"),
    "leading space": (b" ", b""),
    "leading newline": (b"\n", b""),
    "leading NUL": (b"\0", b""),
    "leading guard": (b")]}'\n", b""),
    "second object": (b"", b"{}"),
    "newline and a second object": (b"", b"\n{}"),
}


@invalid("LLQ-JSON-2", cases=AROUND)
def text_with(pieces: tuple[bytes, bytes]) -> Sealed:
    """The JSON text has a {}: a byte MUST NOT come before or after it."""
    return around(*pieces)


NO_JSON = {
    "two spaces": b"  ",
    "two NUL bytes": b"\0\0",
    "an HTML page": b"<!DOCTYPE html><title>404</title>",
    "a literal in capitals": b"NULL",
}


@invalid("LLQ-JSON-2", cases=NO_JSON)
def metadata_holds(data: bytes) -> Sealed:
    """metadata.json holds {}, and MUST be exactly one JSON text."""
    return replaced(data)


NO_VALUE = {
    "NaN": b"NaN",
    "Infinity": b"Infinity",
    "minus Infinity": b"-Infinity",
    "inf": b"inf",
    "True": b"True",
    "None": b"None",
    "undefined": b"undefined",
    "01": b"01",
    "minus 01": b"-01",
    "plus 1": b"+1",
    "point 5": b".5",
    "5 point": b"5.",
    "1e": b"1e",
    "lone minus": b"-",
    "0x10": b"0x10",
    "1_000": b"1_000",
    "two numbers": b"1 2",
    "nothing": b"",
    "a string in single quotes": b"'a'",
    "an unquoted word": b"word",
    "an escaped x": b'"\\x41"',
    "a short escape": b'"\\u12"',
    "an escape with braces": b'"\\u{41}"',
    "an escaped quote alone": b'"\\\'"',
    "a raw newline in a string": b'"a\nb"',
    "a raw NUL in a string": b'"a\0b"',
    "a raw tab in a string": b'"a\tb"',
    "a raw 1F in a string": b'"a\x1fb"',
    "a comma before a bracket": b"[1,]",
    "a comma before a brace": b'{"a":1,}',
    "a comma alone": b"[,]",
    "two commas": b"[1,,2]",
    "a missing comma": b"[1 2]",
    "a missing colon": b'{"a" 1}',
    "an equals sign": b'{"a"=1}',
    "an unquoted name": b"{a:1}",
    "a number as name": b"{1:1}",
    "a block comment": b"/* */0",
    "a line comment": b"0//\n",
    "a form feed as white space": b"\x0c0",
    "a no-break space": b"\xc2\xa00",
    "a byte order mark": b"\xef\xbb\xbf0",
    "mismatched brackets": b"[1}",
}


@invalid("LLQ-JSON-2", cases=NO_VALUE)
def value_is(data: bytes) -> Package:
    """A member of extras has a value that is not JSON ({}): the file MUST be one JSON text of RFC 8259."""
    return noted(data)


CUTS = {
    "the first quote": b'{"',
    "the first name": b'{"digest"',
    "the first colon": b'{"digest":',
    "half a string": b'"file":"vector-0',
    "the number 268": b'"shard_limit":268',
    "a colon": b'"shards":',
    "an opening bracket": b'"tensors":[',
    "a comma": b'"f16",',
    "a whole tensor": b'"shape":[5]}',
    "the last tensor": b'"shape":[4,5]}',
    "the list of tensors": b'"shape":[4,5]}]',
    "all but the last brace": b'"version":"1.0"',
}


@invalid("LLQ-JSON-2", cases=CUTS)
def metadata_ends_after(piece: bytes) -> Sealed:
    """metadata.json ends after {}, and MUST be one whole JSON text."""
    text = control_raw().text()
    return replaced(text[: text.index(piece) + len(piece)])


DUPLICATES = {
    "of the root": ('"version":"1.0"', '"version":"1.0","version":"1.0"'),
    "of the root, through an escape": ('"version":"1.0"', '"version":"1.0","\\u0076ersion":"1.0"'),
    "of a part, with another value": ('"offset":512', '"offset":256,"offset":512'),
    "of a part, through an escape": ('"offset":512', '"\\u006fffset":256,"offset":512'),
    "of a tensor": ('"name":"bias"', '"name":"bias","name":"bias"'),
    "of extras": ('"note":0', '"note":0,"note":0'),
    "of extras, the empty one": ('"note":0', '"":0,"":1,"note":0'),
    "of extras, __proto__": ('"note":0', '"__proto__":{},"__proto__":{},"note":0'),
    "of extras, 199 names apart": (
        '"note":0',
        '"note":0,' + ",".join(f'"p{n}":0' for n in range(199)) + ',"note":0',
    ),
    "of extras, escaped in two ways": ('"note":0', '"\\ud83e\\udd99":0,"note":0,"\U0001f999":1'),
}


@invalid("LLQ-JSON-3", cases=DUPLICATES)
def duplicate_member(change: tuple[str, str]) -> Package:
    """A member occurs twice ({}): names are compared after escapes are resolved."""
    return control_raw().set("/extras", {"note": 0}).respell(*change)


DEEP = {
    "33 levels of arrays": b"[" * 31 + b"]" * 31,
    "33 levels of objects": b'{"a":' * 30 + b"{}" + b"}" * 30,
    "33 levels of both": b'[{"a":' * 15 + b"[]" + b"}]" * 15,
    "10000 levels": b"[" * 9998 + b"]" * 9998,
}


@invalid("LLQ-JSON-4")
def nesting_unclosed() -> Sealed:
    """metadata.json is 20,000 opening brackets: levels are counted before the grammar is checked."""
    return replaced(b"[" * 20_000)


@invalid("LLQ-JSON-4", cases=DEEP)
def nesting_of(data: bytes) -> Package:
    """Objects and arrays are nested too deeply ({}): the depth MUST be at most 32."""
    return noted(data)


NUMBERS = {
    "1e400": b"1e400",
    "minus 1e400": b"-1e400",
    "1.7976931348623159e308": b"1.7976931348623159e308",
    "an integer of 400 digits": b"9" * 400,
    "2^53": b"9007199254740992",
    "minus 2^53": b"-9007199254740992",
    "2^53 + 1": b"9007199254740993",
    "2^64": b"18446744073709551616",
    "1e9999999999": b"1e9999999999",
}


@invalid("LLQ-JSON-5", cases=NUMBERS)
def number_in_extras(data: bytes) -> Package:
    """A number is too large ({}): it MUST be finite, and an integer MUST be at most 2^53 - 1."""
    return noted(data)


@invalid("LLQ-JSON-5", cases={"2^53": 2**53, "2^64": 2**64, "2^64 + 512": 2**64 + 512, "2^63 - 1": 2**63 - 1})
def offset_of_a_part(value: int) -> Package:
    """The offset of a part is {}: a number without fraction and exponent MUST be at most 2^53 - 1."""
    return control_raw().set("/tensors/1/parts/0/offset", value)


SURROGATES = {
    "a high one": b'"\\ud800"',
    "a high one before a letter": b'"\\ud83ea"',
    "a high one before an escaped letter": b'"\\ud83e\\u0061"',
    "two high ones": b'"\\ud83e\\ud83e\\udd99"',
    "a low one": b'"\\udc00"',
    "a pair in reverse": b'"\\udd99\\ud83e"',
    "one in a name": b'{"\\udfff":0}',
    "one in capitals": b'"\\uDBFF"',
    Key("one behind 300 letters", "one after 300 letters"): b'"' + 300 * b"a" + b'\\ud800"',
    "one in an array": b'["a","\\ud800"]',
    "one in an array of arrays": b'[[],["a",["\\udc00"]]]',
    "one after 300 items": b"[" + 300 * b"0," + b'"\\ud800"]',
}


@invalid("LLQ-JSON-6", cases=SURROGATES)
def lone_surrogate(data: bytes) -> Package:
    """A string has a lone surrogate ({})."""
    return noted(data)
