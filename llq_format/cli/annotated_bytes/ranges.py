"""The named byte ranges of shards, from the metadata alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from llq_format.cli.annotated_bytes.shard_bytes import ShardBytes
from llq_format.format.declarations import Field
from llq_format.format.record import SLOT_FIELDS
from llq_format.format.sections import Section, sections
from llq_format.format.shard import MAGIC, PREAMBLE_BYTES, PREAMBLE_FIELDS
from llq_format.metadata.metadata import Metadata, Part, TensorEntry

GONE = "after the end of the file"
_SHOWN_BYTES = 8  # of a range


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes `offset` to `offset + size - 1` of a shard; `kind` specifies how to read them."""

    name: str
    kind: str  # magic, integer, zeros, or a description of the bytes
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Piece:
    """The preamble or a part: its title, start and end, and the ranges that tile it."""

    title: str
    ranges: tuple[Range, ...]
    tensor: TensorEntry | None = None
    part: int | None = None

    @property
    def offset(self) -> int:
        """The offset of the first byte."""
        return self.ranges[0].offset

    @property
    def end(self) -> int:
        """The offset after the last byte."""
        return self.ranges[-1].offset + self.ranges[-1].size


def preamble() -> Piece:
    """Return the first 256 bytes of a shard."""
    return Piece("preamble", tuple(_fields(PREAMBLE_FIELDS, 0)))


def part_piece(tensor: TensorEntry, index: int) -> Piece:
    """Return a part of a tensor; its length follows from dtype, rows and columns."""
    part = tensor.parts[index]
    rows = f"rows {part.first_row} to {part.first_row + part.num_rows - 1} of {tensor.rows}"
    title = f"{tensor.name}: {tensor.dtype}, part {index}, {rows}"
    return Piece(title, tuple(_part_ranges(tensor, part)), tensor, index)


def shard_pieces(metadata: Metadata, shard: int) -> list[Piece]:
    """Return the preamble, the parts and the unclaimed bytes of a shard, in order of offset."""
    parts = [
        part_piece(tensor, index)
        for tensor in metadata.tensors
        for index, part in enumerate(tensor.parts)
        if part.shard == shard
    ]
    pieces = [preamble()]
    end = PREAMBLE_BYTES
    for piece in sorted(parts, key=lambda piece: piece.offset):
        if piece.offset > end:
            pieces.append(_unclaimed(end, piece.offset))
        pieces.append(piece)
        end = max(end, piece.end)
    if end < metadata.shards[shard].byte_length:
        pieces.append(_unclaimed(end, metadata.shards[shard].byte_length))
    return pieces


def _unclaimed(start: int, end: int) -> Piece:
    return Piece("in no part", (Range("unused", "bytes of no part", start, end - start),))


def _part_ranges(tensor: TensorEntry, part: Part) -> Iterator[Range]:
    rows, cols = part.num_rows, tensor.cols
    spans = sections(tensor.dtype, rows, cols)
    for span in spans:
        start = part.offset + span.offset
        if span.name == "slot":
            yield from _fields(SLOT_FIELDS, start)
            continue
        yield Range(span.name, _contents(span, f"{rows} × {cols} {tensor.dtype}"), start, span.size)
        padding = span.end - span.offset - span.size
        if padding:
            yield Range("padding", "zeros", start + span.size, padding)


def _contents(section: Section, matrix: str) -> str:
    """Return a description of the contents of a section; for a raw tensor, of `matrix`."""
    if section.name == "data":
        return matrix
    plural = "s" if section.item == "block" else ""
    return f"{section.count} {section.item}{plural}"


def _fields(fields: Mapping[str, Field], start: int) -> Iterator[Range]:
    """Yield the fields of a structure that begins at byte `start`."""
    for field in fields.values():
        if field.type == "zeros":
            yield Range("reserved", "zeros", start + field.offset, field.size)
        else:
            kind = "magic" if field.value == MAGIC else "integer"
            yield Range(field.name, kind, start + field.offset, field.size)


def content(range_: Range, shard: ShardBytes) -> tuple[str, str]:
    """Return the first bytes of a range in hexadecimal, and its value in words."""
    complete = range_.kind in ("magic", "integer", "zeros")
    data = shard.read(range_.offset, range_.size if complete else min(range_.size, _SHOWN_BYTES))
    return data[:_SHOWN_BYTES].hex(" ").upper(), _value(range_, data) if data else GONE


def _value(range_: Range, data: bytes) -> str:
    if range_.kind == "integer":
        return str(int.from_bytes(data, "little"))
    if range_.kind == "magic":
        return "LLQ's magic" if data == MAGIC else "not LLQ's magic"
    if range_.kind == "zeros":
        tail = data.lstrip(b"\0")
        return f"not zero at byte {range_.offset + len(data) - len(tail)}" if tail else "zeros"
    return range_.kind
