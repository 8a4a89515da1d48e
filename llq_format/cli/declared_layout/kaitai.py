"""The declared layout as a Kaitai Struct definition."""

from collections.abc import Iterator
from typing import Any

from construct import Aligned, Bytes, FormatField, Struct

from llq_format.cli.declared_layout.structures import count_path
from llq_format.format.declarations import Fixed, bare, members
from llq_format.format.layout import BLOCK, PLANE_BYTES, VERSION_TEXT
from llq_format.format.record import PLANE_FIELDS, Codes
from llq_format.format.shard import PARTS, PREAMBLE, PREAMBLE_BYTES

_CODES = BLOCK * BLOCK  # of a block

_NUMBERS = {"H": "u2", "L": "u4", "Q": "u8", "b": "s1", "e": "binary16", "f": "f4"}
"""Kaitai's names of number types, by construct's format letter; binary16 is defined here."""

_BINARY16 = {
    "doc": "A finite number of IEEE 754 binary16, which Kaitai Struct lacks.",
    "seq": [{"id": "bits", "type": "u2"}],
    "instances": {
        "fraction": {"value": "bits & 0x3ff"},
        "exponent": {"value": "(bits >> 10) & 0x1f"},
        "magnitude": {
            "value": "(exponent == 0 ? 2 * fraction : (1024 + fraction) * (1 << exponent)) / 33554432.0",
        },
        "value": {"value": "(bits >> 15) == 1 ? -1.0 * magnitude : magnitude"},
    },
}

_DOC = f"""\
A shard of an LLQ {VERSION_TEXT} package. Parts of tensors follow the preamble.
metadata.json has the offset, the rows and the dtype of every part: read the type part_<dtype> at that offset.
"""

Attribute = dict[str, Any]


def definition() -> dict[str, Any]:
    """Return the definition of a shard; each dtype has a type for its parts."""
    types: dict[str, Any] = {}
    preamble = list(_attributes("preamble" / PREAMBLE, types))
    for dtype, part in PARTS.items():
        types[f"part_{dtype}"] = {**_parameters(part), "seq": _sequence(part, types)}
    return {
        "meta": {
            "id": "llq_shard",
            "title": f"LLQ {VERSION_TEXT} shard",
            "file-extension": "llq",
            "ks-version": "0.9",
            "endian": "le",
            "bit-endian": "le",
        },
        "doc": _DOC,
        "seq": preamble,
        "instances": {
            "parts": {
                "pos": PREAMBLE_BYTES,
                "size": f"preamble.byte_length - {PREAMBLE_BYTES}",
                "doc": "All parts, in order of offset.",
            }
        },
        "types": types,
    }


def _parameters(part: Struct) -> dict[str, Any]:
    """Return `params` of a part that does not contain its number of items."""
    paths = [count_path(member.count) for member in members(part) if callable(member.count)]
    names = [path[-1] for path in paths if path[0] == "_params"]
    return {"params": [{"id": name, "type": "u8"} for name in names]} if names else {}


def _sequence(structure: Any, types: dict[str, Any]) -> list[Attribute]:
    return [attribute for member in structure.subcons for attribute in _attributes(member, types)]


def _attributes(member: Any, types: dict[str, Any]) -> Iterator[Attribute]:
    """Yield a field and any padding after it; structures are added to `types`."""
    doc = {"doc": member.docs} if member.docs else {}
    inner = bare(member)
    if not isinstance(inner, Aligned):
        yield {"id": member.name, **_type(member, types), **doc}
        return
    array: Any = inner.subcon
    count = ".".join(name for name in count_path(array.count) if name != "_params")
    repeat = {"repeat": "expr", "repeat-expr": count}
    yield {"id": member.name, **_type(array.subcon, types), **repeat, **doc}
    modulus: Any = inner.modulus
    size = array.subcon.sizeof()
    if size % modulus:
        padding = f"({modulus} - {size} * {count} % {modulus}) % {modulus}"
        yield {
            "id": f"{member.name}_padding",
            "size": padding,
            "doc": f"Zeros up to a multiple of {modulus}.",
        }


def _type(declared: Any, types: dict[str, Any]) -> Attribute:
    """Return the members of an attribute that specify its type."""
    inner = bare(declared)
    if isinstance(inner, Fixed):
        return _fixed(inner, types)
    if isinstance(inner, FormatField):
        name = _NUMBERS[inner.fmtstr[-1]]
        if name == "binary16":
            types[name] = _BINARY16
        return {"type": name}
    if isinstance(inner, Bytes):
        return {"size": inner.sizeof()}
    if isinstance(inner, Codes):
        types[declared.name] = {"seq": _sequence(inner.subcon, types), "instances": _bits_of_codes()}
        return {"type": declared.name, "size": inner.sizeof()}
    types[declared.name] = {"seq": _sequence(inner, types)}
    return {"type": declared.name}


def _fixed(field: Fixed, types: dict[str, Any]) -> Attribute:
    size = field.sizeof()
    if field.value == bytes(size):
        return {"size": size}
    if isinstance(field.value, bytes):
        return {"contents": list(field.value)}
    return {**_type(field.subcon, types), "valid": field.value}


def _bits_of_codes() -> dict[str, Attribute]:
    """Return an array of numbers for each plane: the bits of every code in this plane."""
    low, high = PLANE_FIELDS
    code = f"{low}_bits[e] + 4 * {high}_bits[e]"
    return {
        f"{plane}_bits": {
            "pos": field.offset,
            "type": f"b{PLANE_BYTES * 8 // _CODES}",
            "repeat": "expr",
            "repeat-expr": _CODES,
            "doc": f"The code at row e / {BLOCK}, column e % {BLOCK} is {code} (LLQ-PACK-2 to LLQ-PACK-4).",
        }
        for plane, field in PLANE_FIELDS.items()
    }
