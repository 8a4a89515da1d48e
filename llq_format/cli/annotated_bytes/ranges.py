"""The named byte ranges of shards, as the metadata lays them out, whatever the bytes say."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llq_format.cli.annotated_bytes.shard_bytes import ShardBytes
from llq_format.format.layout import MAGIC, PACKED_WEIGHT, PREAMBLE, PREAMBLE_BYTES, is_int4, sections
from llq_format.metadata.metadata import Metadata, Part, TensorEntry

GONE = "beyond the end of the file"
_SHOWN_BYTES = 8  # of a range


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes `offset` to `offset + size - 1` of a shard; `kind` says how to read them."""

    name: str
    kind: str  # magic, integer, zeros, or in words what the bytes are
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Piece:
    """The preamble or a part: what it is, where it begins and ends, and the ranges that tile it."""

    title: str
    ranges: tuple[Range, ...]
    tensor: TensorEntry | None = None
    part: int | None = None

    @property
    def offset(self) -> int:
        """Where it begins."""
        return self.ranges[0].offset

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.ranges[-1].offset + self.ranges[-1].size


def preamble() -> Piece:
    """Return the first 256 bytes of a shard."""
    return Piece("preamble", tuple(_fields(PREAMBLE, 0)))


def part_piece(tensor: TensorEntry, index: int) -> Piece:
    """Return a part of a tensor, its length computed from dtype, rows and columns."""
    part = tensor.parts[index]
    rows = f"rows {part.first_row} to {part.first_row + part.num_rows - 1} of {tensor.rows}"
    title = f"{tensor.name}: {tensor.dtype}, part {index}, {rows}"
    return Piece(title, tuple(_part_ranges(tensor, part)), tensor, index)


def shard_pieces(metadata: Metadata, shard: int) -> list[Piece]:
    """Return preamble and parts of a shard in order of offset, and what no part claims."""
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
    return Piece("in no part", (Range("unused", "bytes that no part claims", start, end - start),))


def _part_ranges(tensor: TensorEntry, part: Part) -> Iterator[Range]:
    rows, cols = part.num_rows, tensor.cols
    spans = sections(tensor.dtype, rows, cols)
    blocks = spans[1].size // 2 if is_int4(tensor.dtype) else 0
    kinds = {
        "scale": f"{blocks} binary16",
        "zero_point": f"{blocks} i8",
        "packed": f"{blocks} blocks",
        "data": f"{rows} × {cols} {tensor.dtype}",
    }
    for span in spans:
        start = part.offset + span.offset
        if span.name == "slot":
            yield from _fields(PACKED_WEIGHT, start)
            continue
        yield Range(span.name, kinds[span.name], start, span.size)
        padding = span.end - span.offset - span.size
        if padding:
            yield Range("padding", "zeros", start + span.size, padding)


def _fields(struct: Any, start: int) -> Iterator[Range]:
    """Yield the fields of a declaration of `llq_format.format.layout`."""
    offset = start
    for field in struct.subcons:
        size, name = field.sizeof(), field.name
        if name.startswith("reserved"):
            yield Range("reserved", "zeros", offset, size)
        else:
            yield Range(name, "magic" if name == "magic" else "integer", offset, size)
        offset += size


def content(range_: Range, shard: ShardBytes) -> tuple[str, str]:
    """Return the first bytes of a range in hexadecimal, and in words what it says."""
    whole = range_.kind in ("magic", "integer", "zeros")
    data = shard.read(range_.offset, range_.size if whole else min(range_.size, _SHOWN_BYTES))
    return data[:_SHOWN_BYTES].hex(" ").upper(), _value(range_, data) if data else GONE


def _value(range_: Range, data: bytes) -> str:
    if range_.kind == "integer":
        return str(int.from_bytes(data, "little"))
    if range_.kind == "magic":
        return "LLQ's magic" if data == MAGIC else "not LLQ's magic"
    if range_.kind == "zeros":
        rest = data.lstrip(b"\0")
        return f"not zero at byte {range_.offset + len(data) - len(rest)}" if rest else "zeros"
    return range_.kind
