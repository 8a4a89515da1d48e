"""Stage `shards`: preambles, slots and padding (spec: Shards and records)."""

from collections.abc import Iterator

from llq_format.format.layout import (
    BLOCK,
    MAGIC,
    PACKED_WEIGHT,
    PREAMBLE,
    PREAMBLE_BYTES,
    SLOT_BYTES,
    VERSION,
    block_grid,
    is_int4,
    sections,
)
from llq_format.metadata.findings import Finding, Place
from llq_format.metadata.metadata import Metadata, Part, TensorEntry
from llq_format.validation.package_files import PackageFile

_FIELD_OFFSETS = {"block_rows": 0, "block_cols": 4, "num_blocks": 8, "offset": 12}


def check_preamble(metadata: Metadata, index: int, file: PackageFile) -> Iterator[Finding]:
    """Yield the breaches of LLQ-SHARD-2 to LLQ-SHARD-6 in the preamble of shard `index`."""
    data = file.read(0, PREAMBLE_BYTES)
    preamble = PREAMBLE.parse(data)

    def at(offset: int) -> Place:
        return Place(file=file.name, offset=offset)

    if preamble.magic != MAGIC:
        yield Finding("LLQ-SHARD-2", at(0), preamble.magic.hex(" ").upper(), MAGIC.hex(" ").upper())
    version = (preamble.version_major, preamble.version_minor)
    if version != VERSION:
        yield Finding("LLQ-SHARD-3", at(8), "{}.{}".format(*version), "{}.{}".format(*VERSION))
    if preamble.shard_index != index:
        yield Finding("LLQ-SHARD-4", at(12), f"shard_index {preamble.shard_index}", f"{index}")
    if preamble.shard_count != len(metadata.shards):
        yield Finding("LLQ-SHARD-4", at(16), f"shard_count {preamble.shard_count}", f"{len(metadata.shards)}")
    length = metadata.shards[index].byte_length
    if preamble.byte_length != length:
        yield Finding("LLQ-SHARD-5", at(24), f"{preamble.byte_length}", f"{length}")
    for start, end in ((20, 24), (32, PREAMBLE_BYTES)):
        yield from _zeros("LLQ-SHARD-6", file, data[start:end], start)


def check_part_layout(tensor: TensorEntry, part: Part, file: PackageFile) -> Iterator[Finding]:
    """Yield the breaches of LLQ-REC-1 to LLQ-REC-5 and LLQ-RAW-1 in one part."""
    if is_int4(tensor.dtype):
        yield from _slot(tensor, part, file)
    rule = "LLQ-REC-5" if is_int4(tensor.dtype) else "LLQ-RAW-1"
    for section in sections(tensor.dtype, part.num_rows, tensor.cols):
        start = part.offset + section.offset + section.size
        padding = file.read(start, part.offset + section.end - start)
        yield from _zeros(rule, file, padding, start, tensor.name)


def _slot(tensor: TensorEntry, part: Part, file: PackageFile) -> Iterator[Finding]:
    data = file.read(part.offset, SLOT_BYTES)
    slot = PACKED_WEIGHT.parse(data)
    down, across = block_grid(part.num_rows, tensor.cols)
    expected = {
        "block_rows": ("LLQ-REC-1", BLOCK),
        "block_cols": ("LLQ-REC-1", BLOCK),
        "num_blocks": ("LLQ-REC-2", down * across),
        "offset": ("LLQ-REC-3", part.offset + SLOT_BYTES),
    }
    for field, (rule, value) in expected.items():
        if slot[field] != value:
            place = Place(file=file.name, offset=part.offset + _FIELD_OFFSETS[field], tensor=tensor.name)
            yield Finding(rule, place, f"{field} {slot[field]}", f"{value}")
    yield from _zeros("LLQ-REC-4", file, slot.reserved_16, part.offset + 16, tensor.name)


def _zeros(
    rule: str, file: PackageFile, data: bytes, offset: int, tensor: str | None = None
) -> Iterator[Finding]:
    """Yield one finding, at the first byte that is not zero."""
    rest = data.lstrip(b"\0")
    if rest:
        place = Place(file=file.name, offset=offset + len(data) - len(rest), tensor=tensor)
        yield Finding(rule, place, f"byte {rest[0]:02X}", "00")
