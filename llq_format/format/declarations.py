"""Additions to construct for the layout: fixed fields, padded sections, offsets of fields."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from construct import Aligned, Array, Bytes, ConstError, Construct, FormatField, Renamed, Struct, Subconstruct

from llq_format.format.layout import ALIGNMENT

TYPES = {"H": "u16", "L": "u32", "Q": "u64", "b": "i8", "e": "binary16", "f": "binary32"}
"""The specification's names of number types, by construct's format letter; little-endian (LLQ-DEQ-6)."""


class Fixed(Subconstruct):  # type: ignore[type-arg]  # generic only in its stubs
    """A field with one legal value.

    Parsing returns any value, so that the rules can check it. Building writes the legal value, and raises
    ConstError for any other.
    """

    def __init__(self, subcon: "Construct[Any, Any]", value: Any) -> None:
        super().__init__(subcon)
        self.value = value
        self.flagbuildnone = True

    def _build(self, obj: Any, stream: Any, context: Any, path: Any) -> Any:
        if obj is not None and obj != self.value:
            raise ConstError(f"expected {self.value!r}, found {obj!r}", path=path)
        return super()._build(self.value, stream, context, path)


def zeros(size: int) -> Fixed:
    """Return the declaration of `size` reserved bytes, which are zero."""
    return Fixed(Bytes(size), bytes(size))


def section(count: int | Callable[[Any], Any], item: "Construct[Any, Any]") -> "Construct[Any, Any]":
    """Return the declaration of `count` items, then zeros up to a multiple of 256 (LLQ-REC-5, LLQ-RAW-1).

    count: a number, or construct's expression for one.
    """
    return Aligned(ALIGNMENT, Array(count, item))


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a structure of fixed size.

    offset: in bytes, from the start of the structure; size: in bytes.
    """

    name: str
    offset: int
    size: int
    type: str  # of TYPES, `bytes` or `zeros`
    value: Any  # None if several are legal
    docs: str


def fields(structure: Struct) -> Mapping[str, Field]:
    """Return the fields of a structure of fixed size, by name and in order."""
    result: dict[str, Field] = {}
    offset = 0
    for member in structure.subcons:
        assert member.name is not None  # noqa: S101  # every field of ours has a name
        size = member.sizeof()
        value = bare(member).value if isinstance(bare(member), Fixed) else None
        result[member.name] = Field(member.name, offset, size, type_name(member), value, member.docs)
        offset += size
    return MappingProxyType(result)


def type_name(declared: "Construct[Any, Any]") -> str:
    """Return the name of a type: of TYPES, `bytes`, `zeros` or the name of a structure."""
    inner = bare(declared)
    if isinstance(inner, FormatField):
        return TYPES[inner.fmtstr[-1]]
    if isinstance(inner, Fixed):
        return "zeros" if inner.value == bytes(inner.sizeof()) else type_name(inner.subcon)
    return "bytes" if isinstance(inner, Bytes) else str(declared.name)


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a part: a structure or an array of items, then zeros up to a multiple of `alignment`."""

    name: str
    item: "Construct[Any, Any]"  # named, if it is a structure
    item_bytes: int
    count: Any  # 1, a number of items or construct's expression for it
    alignment: int
    docs: str


def members(part: Struct) -> tuple[Member, ...]:
    """Return the members of the declaration of a part, in order."""
    return tuple(_member(member) for member in part.subcons)


def _member(member: "Construct[Any, Any]") -> Member:
    assert member.name is not None  # noqa: S101  # every member of ours has a name
    declared = bare(member)
    if not isinstance(declared, Aligned):
        return Member(member.name, member, member.sizeof(), 1, 1, member.docs)
    array: Any = declared.subcon
    modulus: Any = declared.modulus
    return Member(member.name, array.subcon, array.subcon.sizeof(), array.count, modulus, member.docs)


def bare(declared: Any) -> Any:
    """Return a declaration without its name and documentation."""
    return bare(declared.subcon) if isinstance(declared, Renamed) else declared
