"""The lines that `llq dump` prints."""

from collections.abc import Iterable, Iterator

import numpy as np

from llq_format.cli.annotated_bytes.blocks import Block, blocks, rows_of, scale_of, zero_point_of
from llq_format.cli.annotated_bytes.ranges import GONE, Piece, Range, content, part_piece
from llq_format.cli.annotated_bytes.shard_bytes import ShardBytes
from llq_format.format.layout import BLOCK, is_int4
from llq_format.format.raw_tensor import RAW_ITEM_BYTES
from llq_format.metadata.metadata import Part, TensorEntry

_RUN_BYTES = 1 << 16  # bytes of raw data to read at a time
_BLOCK_HEAD = "  block  part      i      j       scale  bits  zero_point  packed at"
_HEAD = f"{'offset':>10} {'bytes':>10}  {'range':<13}  content"


def pieces_text(pieces: Iterable[Piece], shard: ShardBytes) -> Iterator[str]:
    """Yield the lines of a shard's preamble and parts."""
    yield shard.name + ("" if shard.problem is None else f": {shard.problem}")
    yield _HEAD
    end = 0
    for piece in pieces:
        yield piece.title + (f" (overlaps the range that ends at byte {end})" if piece.offset < end else "")
        yield from _ranges(piece.ranges, shard)
        end = max(end, piece.end)
    yield ""


def tensor_text(tensor: TensorEntry, shards: list[ShardBytes]) -> Iterator[str]:
    """Yield the lines of a tensor: the ranges of its parts, then its blocks or its values."""
    for index, part in enumerate(tensor.parts):
        shard = shards[part.shard]
        piece = part_piece(tensor, index)
        yield from pieces_text([piece], shard)
        length = piece.end - piece.offset
        if length != part.byte_length:
            yield f"byte_length of this part is {part.byte_length}; expected {length} (LLQ-PART-5)"
            yield ""
        if not is_int4(tensor.dtype):
            yield from _values(tensor, part, shard)
    if is_int4(tensor.dtype):
        yield _BLOCK_HEAD
        for block in blocks(tensor):
            yield _block_line(block, shards[tensor.parts[block.part].shard])


def block_text(tensor: TensorEntry, block: Block, shard: ShardBytes) -> Iterator[str]:
    """Yield the lines of a block: place, scale and zero_point, then the planes and codes of each row."""
    first_row = tensor.parts[block.part].first_row + block.i * BLOCK
    first_col = block.j * BLOCK
    yield f"{tensor.name}: {tensor.dtype}, block {block.number}"
    yield (
        f"rows {first_row} to {min(first_row + BLOCK, tensor.rows) - 1}, "
        f"columns {first_col} to {min(first_col + BLOCK, tensor.cols) - 1}; "
        f"block ({block.i}, {block.j}) of part {block.part}"
    )
    yield shard.name + ("" if shard.problem is None else f": {shard.problem}")
    scale = scale_of(block, shard)
    yield f"scale      at {block.scale_at:>10}  {f'{scale[0]} = {scale[1]!r}' if scale else GONE}"
    zero_point = zero_point_of(block, shard)
    where = "none: symmetric" if block.zero_point_at is None else f"at {block.zero_point_at:>10}"
    yield f"zero_point {where}  {GONE if zero_point is None else zero_point}"
    yield f"packed     at {block.packed_at:>10}"
    for row in rows_of(block, shard):
        codes = GONE if row.codes is None else "".join(f"{code:X}" for code in row.codes)
        yield f"row {row.row:>2}  codes {codes}"
        yield f"        low   {row.low_at:>10}  {row.low.hex(' ').upper() or GONE}"
        yield f"        high  {row.high_at:>10}  {row.high.hex(' ').upper() or GONE}"


def _ranges(ranges: Iterable[Range], shard: ShardBytes) -> Iterator[str]:
    for item in ranges:
        hexadecimal, value = content(item, shard)
        ellipsis = " …" if hexadecimal and item.size > hexadecimal.count(" ") + 1 else ""
        yield f"{item.offset:>10} {item.size:>10}  {item.name:<13}  {hexadecimal + ellipsis:<25}  {value}"


def _block_line(block: Block, shard: ShardBytes) -> str:
    scale, zero_point = scale_of(block, shard), zero_point_of(block, shard)
    start = f"{block.number:>7} {block.part:>5} {block.i:>6} {block.j:>6}"
    if scale is None or zero_point is None:
        return f"{start}  {GONE}"
    return f"{start} {scale[1]:>11.6g} {scale[0]:>5} {zero_point:>11} {block.packed_at:>11}"


def _values(tensor: TensorEntry, part: Part, shard: ShardBytes) -> Iterator[str]:
    """Yield the values of a raw part, two per line."""
    size = RAW_ITEM_BYTES[tensor.dtype]
    total = part.num_rows * tensor.cols * size
    yield f"{'offset':>10}  {'bytes':<23}  {'row, column':<15} values"
    for start in range(0, total, _RUN_BYTES):
        data = shard.read(part.offset + start, min(_RUN_BYTES, total - start))
        data = data[: len(data) - len(data) % size]
        for at in range(0, len(data), 2 * size):
            piece = data[at : at + 2 * size]
            row, col = divmod((start + at) // size, tensor.cols)
            values = "  ".join(str(value) for value in np.frombuffer(piece, f"<f{size}"))
            where = f"{part.first_row + row}, {col}"
            yield f"{part.offset + start + at:>10}  {piece.hex(' ').upper():<23}  {where:<15} {values}"
        if len(data) < min(_RUN_BYTES, total - start) - size:
            yield f"{part.offset + start + len(data):>10}  {GONE}"
            return
