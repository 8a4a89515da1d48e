"""Stage `parts`: the places of parts, from the metadata alone."""

from collections.abc import Iterable, Iterator

from llq_format.format.layout import ALIGNMENT, BLOCK, is_int4
from llq_format.format.placement import Placed, ShardLimitError, place
from llq_format.format.sections import part_bytes
from llq_format.format.shard import PREAMBLE_BYTES
from llq_format.metadata.findings import Finding, Place
from llq_format.metadata.metadata import Metadata, Part, TensorEntry
from llq_format.validation.tensors import storable

_SHARD_MIN = PREAMBLE_BYTES + ALIGNMENT  # bytes: the shortest part is one section

_RULES_BEFORE_TILING = frozenset({"LLQ-PART-3", "LLQ-PART-4", "LLQ-PART-5", "LLQ-SHARD-1"})
"""Rules that must hold before the tiling of shards can be checked."""


def check_parts(metadata: Metadata) -> list[Finding]:
    """Return the findings of stage `parts`, without those of tensors whose shape is not storable."""
    findings: list[Finding] = []
    for index, tensor in enumerate(metadata.tensors):
        if storable(tensor.dtype, tensor.shape):
            findings += _tensor_parts(metadata, tensor, f"/tensors/{index}")
    findings += _shard_lengths(metadata)
    if not can_be_tiled(metadata, findings):
        return findings
    findings += _tiling(metadata)
    return findings or list(_placement(metadata))


def can_be_tiled(metadata: Metadata, findings: Iterable[Finding]) -> bool:
    """Return whether every part has a shard, a place and a length, so that its bytes can be looked up.

    findings: at least those of stage `parts`.
    """
    return not any(finding.rule in _RULES_BEFORE_TILING for finding in findings) and all(
        storable(tensor.dtype, tensor.shape) for tensor in metadata.tensors
    )


def _tensor_parts(metadata: Metadata, tensor: TensorEntry, pointer: str) -> Iterator[Finding]:
    next_row = 0
    last = len(tensor.parts) - 1
    for index, part in enumerate(tensor.parts):
        where = f"{pointer}/parts/{index}"

        def at(member: str, where: str = where) -> Place:
            return Place(pointer=f"{where}/{member}", tensor=tensor.name)

        if part.first_row != next_row:
            rows = {"first_row": part.first_row, "expected": next_row}
            yield Finding("part-rows-not-contiguous", at("first_row"), rows)
        next_row = part.first_row + part.num_rows
        if index == last and next_row != tensor.rows:
            rows = {"end": next_row, "expected": tensor.rows}
            yield Finding("part-rows-not-complete", at("num_rows"), rows)
        if is_int4(tensor.dtype) and index != last and part.num_rows % BLOCK:
            rows = {"num_rows": part.num_rows, "block": BLOCK}
            yield Finding("part-rows-not-aligned", at("num_rows"), rows)
        if part.shard >= len(metadata.shards):
            shards = {"shard": part.shard, "num_shards": len(metadata.shards)}
            yield Finding("part-shard-unknown", at("shard"), shards)
        if part.offset % ALIGNMENT:
            offsets = {"offset": part.offset, "alignment": ALIGNMENT}
            yield Finding("part-offset-not-aligned", at("offset"), offsets)
        length = part_bytes(tensor.dtype, part.num_rows, tensor.cols)
        if part.byte_length != length:
            lengths = {"byte_length": part.byte_length, "expected": length}
            yield Finding("part-length-wrong", at("byte_length"), lengths)


def _shard_lengths(metadata: Metadata) -> Iterator[Finding]:
    for index, shard in enumerate(metadata.shards):
        length, limit = shard.byte_length, metadata.shard_limit
        if length % ALIGNMENT or not _SHARD_MIN <= length <= limit:
            place = Place(pointer=f"/shards/{index}/byte_length")
            bounds = {"alignment": ALIGNMENT, "minimum": _SHARD_MIN, "maximum": limit}
            yield Finding("shard-length-wrong", place, {"byte_length": length, **bounds})


def _tiling(metadata: Metadata) -> list[Finding]:
    """Return the violations of LLQ-PART-6 to LLQ-PART-9: parts tile shards without overlaps and gaps."""
    parts_by_shard: list[list[tuple[Part, Place]]] = [[] for _ in metadata.shards]
    for t, tensor in enumerate(metadata.tensors):
        for p, part in enumerate(tensor.parts):
            place = Place(pointer=f"/tensors/{t}/parts/{p}/offset", tensor=tensor.name)
            parts_by_shard[part.shard].append((part, place))
    findings: list[Finding] = []
    for index, (shard, parts) in enumerate(zip(metadata.shards, parts_by_shard, strict=True)):
        end, previous = PREAMBLE_BYTES, "the preamble"
        for part, place in sorted(parts, key=lambda item: item[0].offset):
            stop = part.offset + part.byte_length
            span = {"first": part.offset, "last": stop - 1}
            if part.offset < PREAMBLE_BYTES or stop > shard.byte_length:
                bounds = {"minimum": PREAMBLE_BYTES, "maximum": shard.byte_length - 1}
                findings.append(Finding("part-outside-shard", place, span | bounds))
            elif part.offset < end:
                values = {**span, "expected": end, "previous": previous}
                findings.append(Finding("part-overlaps", place, values))
            elif part.offset > end:
                values = {"offset": part.offset, "expected": end, "previous": previous}
                findings.append(Finding("part-after-gap", place, values))
            end, previous = max(end, stop), f"tensor {place.tensor}"
        if end < shard.byte_length:
            place = Place(pointer=f"/shards/{index}/byte_length")
            values = {"byte_length": shard.byte_length, "expected": end, "previous": previous}
            findings.append(Finding("shard-end-unused", place, values))
    return findings


def _placement(metadata: Metadata) -> Iterator[Finding]:
    try:
        expected = place(((t.name, t.dtype, t.shape) for t in metadata.tensors), metadata.shard_limit)
    except ShardLimitError as error:
        values = {"tensor": error.tensor, "unit": error.unit, "columns": error.columns}
        limit = {"shard_limit": metadata.shard_limit}
        yield Finding("shard-limit-too-small", Place(pointer="/shard_limit"), values | limit)
        return
    for t, (tensor, placed) in enumerate(zip(metadata.tensors, expected.parts, strict=True)):
        # The parts cover all rows (LLQ-PART-1): lists of different lengths differ before one of them ends.
        for p, (part, target) in enumerate(zip(tensor.parts, placed, strict=False)):
            span, expected_span = _span(part), _span(target)
            if span != expected_span:
                where = Place(pointer=f"/tensors/{t}/parts/{p}", tensor=tensor.name)
                expected_values = {f"expected_{name}": value for name, value in expected_span.items()}
                yield Finding("part-misplaced", where, span | expected_values)
                return  # later parts are only shifted


def _span(part: Part | Placed) -> dict[str, int]:
    return {
        "first_row": part.first_row,
        "num_rows": part.num_rows,
        "offset": part.offset,
        "shard": part.shard,
    }
