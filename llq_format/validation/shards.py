"""Stage `shards`: preambles, slots and padding (spec: Shards and records)."""

from collections.abc import Iterator

from llq_format.format.layout import VERSION, block_grid, is_int4
from llq_format.format.record import SLOT, SLOT_FIELDS
from llq_format.format.sections import sections
from llq_format.format.shard import MAGIC, PREAMBLE, PREAMBLE_BYTES, PREAMBLE_FIELDS
from llq_format.metadata.findings import Finding, Place
from llq_format.metadata.metadata import Metadata, Part, TensorEntry
from llq_format.validation.package_files import PackageFile


def check_preamble(metadata: Metadata, index: int, file: PackageFile) -> Iterator[Finding]:
    """Yield the breaches of LLQ-SHARD-2 to LLQ-SHARD-6 in the preamble of shard `index`."""
    preamble = PREAMBLE.parse(file.read(0, PREAMBLE_BYTES))

    def at(field: str) -> Place:
        return Place(file=file.name, offset=PREAMBLE_FIELDS[field].offset)

    if preamble.magic != MAGIC:
        yield Finding("LLQ-SHARD-2", at("magic"), preamble.magic.hex(" ").upper(), MAGIC.hex(" ").upper())
    version = (preamble.version_major, preamble.version_minor)
    if version != VERSION:
        yield Finding("LLQ-SHARD-3", at("version_major"), "{}.{}".format(*version), "{}.{}".format(*VERSION))
    if preamble.shard_index != index:
        yield Finding("LLQ-SHARD-4", at("shard_index"), f"shard_index {preamble.shard_index}", f"{index}")
    if preamble.shard_count != len(metadata.shards):
        found = f"shard_count {preamble.shard_count}"
        yield Finding("LLQ-SHARD-4", at("shard_count"), found, f"{len(metadata.shards)}")
    length = metadata.shards[index].byte_length
    if preamble.byte_length != length:
        yield Finding("LLQ-SHARD-5", at("byte_length"), f"{preamble.byte_length}", f"{length}")
    for field in PREAMBLE_FIELDS.values():
        if field.type == "zeros":
            yield from _zeros("LLQ-SHARD-6", file, preamble[field.name], field.offset)


def check_part_layout(tensor: TensorEntry, part: Part, file: PackageFile) -> Iterator[Finding]:
    """Yield the breaches of LLQ-REC-1 to LLQ-REC-5 and LLQ-RAW-1 in one part."""
    if is_int4(tensor.dtype):
        yield from _slot(tensor, part, file)
    rule = "LLQ-REC-5" if is_int4(tensor.dtype) else "LLQ-RAW-1"
    for section in sections(tensor.dtype, part.num_rows, tensor.cols):
        start = part.offset + section.offset + section.size
        padding = file.read(start, section.end - section.offset - section.size)
        yield from _zeros(rule, file, padding, start, tensor.name)


def _slot(tensor: TensorEntry, part: Part, file: PackageFile) -> Iterator[Finding]:
    section, first, *_ = sections(tensor.dtype, part.num_rows, tensor.cols)
    slot = SLOT.parse(file.read(part.offset, section.size))
    down, across = block_grid(part.num_rows, tensor.cols)
    expected = {
        "block_rows": ("LLQ-REC-1", SLOT_FIELDS["block_rows"].value),
        "block_cols": ("LLQ-REC-1", SLOT_FIELDS["block_cols"].value),
        "num_blocks": ("LLQ-REC-2", down * across),
        "offset": ("LLQ-REC-3", part.offset + first.offset),
    }
    for field, (rule, value) in expected.items():
        if slot[field] != value:
            place = Place(file=file.name, offset=part.offset + SLOT_FIELDS[field].offset, tensor=tensor.name)
            yield Finding(rule, place, f"{field} {slot[field]}", f"{value}")
    reserved = SLOT_FIELDS["reserved_16"]
    yield from _zeros("LLQ-REC-4", file, slot[reserved.name], part.offset + reserved.offset, tensor.name)


def _zeros(
    rule: str, file: PackageFile, data: bytes, offset: int, tensor: str | None = None
) -> Iterator[Finding]:
    """Yield one finding, at the first byte that is not zero."""
    rest = data.lstrip(b"\0")
    if rest:
        place = Place(file=file.name, offset=offset + len(data) - len(rest), tensor=tensor)
        yield Finding(rule, place, f"byte {rest[0]:02X}", "00")
