"""The structures of a shard as rows of a table; offsets and sizes that depend on a count are formulas."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llq_format.format.declarations import Field, Member, members, type_name
from llq_format.format.record import PLANE_FIELDS, SLOT_FIELDS
from llq_format.format.shard import PARTS, PREAMBLE_FIELDS


@dataclass(frozen=True, slots=True)
class Row:
    """A field: its `offset` in the structure and `size`, in bytes, and its `value` if it is fixed."""

    field: str
    offset: int | str
    type: str
    size: int | str
    value: str | None
    docs: str


@dataclass(frozen=True, slots=True)
class Structure:
    """A structure with its fields in order."""

    name: str
    title: str
    rows: tuple[Row, ...]


def structures() -> tuple[Structure, ...]:
    """Return the structures of a shard: preamble, slot, block, then a part of each dtype."""
    fixed = (
        ("preamble", "The first bytes of a shard", PREAMBLE_FIELDS),
        ("slot", "The first bytes of a record", SLOT_FIELDS),
        ("block", "64 × 64 codes of 4 bits", PLANE_FIELDS),
    )
    return (
        *(Structure(name, title, tuple(map(_row, fields.values()))) for name, title, fields in fixed),
        *(
            Structure(f"part of {dtype}", f"A part of a tensor of dtype {dtype}", tuple(_rows(members(part))))
            for dtype, part in PARTS.items()
        ),
    )


def _row(field: Field) -> Row:
    return Row(field.name, field.offset, field.type, field.size, _value_text(field), field.docs)


def _value_text(field: Field) -> str | None:
    """Return the only legal value of a field, written as in the specification."""
    if field.type == "zeros":
        return "0"
    return field.value.hex(" ").upper() if isinstance(field.value, bytes) else _text(field.value)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _rows(part: tuple[Member, ...]) -> Iterator[Row]:
    """Yield the rows of a part. In formulas, align(x) is the smallest multiple of 256 that is at least x."""
    fixed = 0
    terms: list[str] = []
    for member in part:
        offset = " + ".join([str(fixed), *terms]) if terms else fixed
        item = type_name(member.item)
        if not callable(member.count):
            yield Row(member.name, offset, item, member.item_bytes, None, member.docs)
            fixed += member.item_bytes
            continue
        count = count_path(member.count)[-1]
        size = count if member.item_bytes == 1 else f"{member.item_bytes} * {count}"
        yield Row(member.name, offset, f"{item} × {count}", size, None, member.docs)
        terms.append(f"align({size})" if member.item_bytes % member.alignment else size)


def count_path(count: Any) -> tuple[str, ...]:
    """Return the names in construct's expression for a field: `this.slot.num_blocks` has slot, num_blocks."""
    names: list[str] = []
    while vars(count)["_Path__parent"] is not None:
        names.insert(0, vars(count)["_Path__field"])
        count = vars(count)["_Path__parent"]
    return tuple(names)
