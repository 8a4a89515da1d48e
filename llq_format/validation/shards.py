"""Stage `shards`: preambles, slots and padding (spec: Shards and records)."""

from collections.abc import Iterator

from llq_format.format.layout import VERSION, VERSION_TEXT, block_grid, is_int4
from llq_format.format.record import SLOT, SLOT_FIELDS
from llq_format.format.sections import sections
from llq_format.format.shard import MAGIC, PREAMBLE, PREAMBLE_BYTES, PREAMBLE_FIELDS
from llq_format.metadata.findings import Finding, Place
from llq_format.metadata.metadata import Metadata, Part, TensorEntry
from llq_format.validation.package_files import PackageFile


def check_preamble(metadata: Metadata, index: int, file: PackageFile) -> Iterator[Finding]:
    """Yield the violations of LLQ-SHARD-2 to LLQ-SHARD-6 in the preamble of shard `index`."""
    preamble = PREAMBLE.parse(file.read(0, PREAMBLE_BYTES))

    def at(field: str) -> Place:
        return Place(file=file.name, offset=PREAMBLE_FIELDS[field].offset)

    if preamble.magic != MAGIC:
        magics = {"magic": preamble.magic.hex(" ").upper(), "expected": MAGIC.hex(" ").upper()}
        yield Finding("magic-wrong", at("magic"), magics)
    version = (preamble.version_major, preamble.version_minor)
    if version != VERSION:
        versions = {"version_major": version[0], "version_minor": version[1], "expected": VERSION_TEXT}
        yield Finding("shard-version-wrong", at("version_major"), versions)
    if preamble.shard_index != index:
        indices = {"shard_index": preamble.shard_index, "expected": index}
        yield Finding("shard-index-wrong", at("shard_index"), indices)
    if preamble.shard_count != len(metadata.shards):
        counts = {"shard_count": preamble.shard_count, "expected": len(metadata.shards)}
        yield Finding("shard-count-wrong", at("shard_count"), counts)
    length = metadata.shards[index].byte_length
    if preamble.byte_length != length:
        lengths = {"byte_length": preamble.byte_length, "expected": length}
        yield Finding("preamble-length-wrong", at("byte_length"), lengths)
    for field in PREAMBLE_FIELDS.values():
        if field.type == "zeros":
            yield from _zeros("preamble-reserved-not-zero", file, preamble[field.name], field.offset)


def check_part_layout(tensor: TensorEntry, part: Part, file: PackageFile) -> Iterator[Finding]:
    """Yield the violations of LLQ-REC-1 to LLQ-REC-5 and LLQ-RAW-1 in one part."""
    if is_int4(tensor.dtype):
        yield from _slot(tensor, part, file)
    code = "record-padding-not-zero" if is_int4(tensor.dtype) else "raw-padding-not-zero"
    for section in sections(tensor.dtype, part.num_rows, tensor.cols):
        start = part.offset + section.offset + section.size
        padding = file.read(start, section.end - section.offset - section.size)
        yield from _zeros(code, file, padding, start, tensor.name)


def _slot(tensor: TensorEntry, part: Part, file: PackageFile) -> Iterator[Finding]:
    section, first, *_ = sections(tensor.dtype, part.num_rows, tensor.cols)
    slot = SLOT.parse(file.read(part.offset, section.size))
    down, across = block_grid(part.num_rows, tensor.cols)
    expected = {
        "block_rows": ("block-rows-wrong", SLOT_FIELDS["block_rows"].value),
        "block_cols": ("block-cols-wrong", SLOT_FIELDS["block_cols"].value),
        "num_blocks": ("num-blocks-wrong", down * across),
        "offset": ("record-offset-wrong", part.offset + first.offset),
    }
    for field, (code, value) in expected.items():
        if slot[field] != value:
            place = Place(file=file.name, offset=part.offset + SLOT_FIELDS[field].offset, tensor=tensor.name)
            yield Finding(code, place, {field: slot[field], "expected": value})
    reserved = SLOT_FIELDS["reserved_16"]
    offset = part.offset + reserved.offset
    yield from _zeros("record-reserved-not-zero", file, slot[reserved.name], offset, tensor.name)


def _zeros(
    code: str, file: PackageFile, data: bytes, offset: int, tensor: str | None = None
) -> Iterator[Finding]:
    """Yield one finding, at the first byte that is not zero."""
    tail = data.lstrip(b"\0")
    if tail:
        place = Place(file=file.name, offset=offset + len(data) - len(tail), tensor=tensor)
        yield Finding(code, place, {"byte": f"{tail[0]:02X}"})
