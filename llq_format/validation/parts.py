"""Stage `parts`: where parts lie, from the metadata alone."""

from collections.abc import Iterator

from llq_format.format.layout import ALIGNMENT, BLOCK, is_int4
from llq_format.format.placement import ShardLimitError, place
from llq_format.format.sections import part_bytes
from llq_format.format.shard import PREAMBLE_BYTES
from llq_format.metadata.findings import Finding, Place
from llq_format.metadata.metadata import Metadata, Part, TensorEntry

_SHARD_MIN = PREAMBLE_BYTES + ALIGNMENT  # bytes: the shortest part is one section

RULES_BEFORE_TILING = frozenset({"LLQ-PART-3", "LLQ-PART-4", "LLQ-PART-5", "LLQ-SHARD-1"})
"""Only where these hold does it mean something to ask whether parts tile their shards."""


def check_parts(metadata: Metadata) -> list[Finding]:
    """Return the findings of stage `parts`; tensors are expected to satisfy LLQ-TENSOR-6 and LLQ-TENSOR-7."""
    findings: list[Finding] = []
    for index, tensor in enumerate(metadata.tensors):
        findings += _tensor_parts(metadata, tensor, f"/tensors/{index}")
    findings += _shard_lengths(metadata)
    if not any(finding.rule in RULES_BEFORE_TILING for finding in findings):
        findings += _tiling(metadata)
    return findings or list(_placement(metadata))


def _tensor_parts(metadata: Metadata, tensor: TensorEntry, pointer: str) -> Iterator[Finding]:
    next_row = 0
    last = len(tensor.parts) - 1
    for index, part in enumerate(tensor.parts):
        where = f"{pointer}/parts/{index}"

        def at(member: str, where: str = where) -> Place:
            return Place(pointer=f"{where}/{member}", tensor=tensor.name)

        if part.first_row != next_row:
            yield Finding("LLQ-PART-1", at("first_row"), f"{part.first_row}", f"{next_row}")
        next_row = part.first_row + part.num_rows
        if index == last and next_row != tensor.rows:
            yield Finding("LLQ-PART-1", at("num_rows"), f"rows up to {next_row}", f"rows up to {tensor.rows}")
        if is_int4(tensor.dtype) and index != last and part.num_rows % BLOCK:
            yield Finding("LLQ-PART-2", at("num_rows"), f"{part.num_rows}", f"a multiple of {BLOCK}")
        if part.shard >= len(metadata.shards):
            yield Finding("LLQ-PART-3", at("shard"), f"{part.shard}", f"less than {len(metadata.shards)}")
        if part.offset % ALIGNMENT:
            yield Finding("LLQ-PART-4", at("offset"), f"{part.offset}", f"a multiple of {ALIGNMENT}")
        length = part_bytes(tensor.dtype, part.num_rows, tensor.cols)
        if part.byte_length != length:
            yield Finding("LLQ-PART-5", at("byte_length"), f"{part.byte_length}", f"{length}")


def _shard_lengths(metadata: Metadata) -> Iterator[Finding]:
    for index, shard in enumerate(metadata.shards):
        length, limit = shard.byte_length, metadata.shard_limit
        if length % ALIGNMENT or not _SHARD_MIN <= length <= limit:
            place = Place(pointer=f"/shards/{index}/byte_length")
            yield Finding(
                "LLQ-SHARD-1", place, f"{length}", f"a multiple of {ALIGNMENT}, {_SHARD_MIN} to {limit}"
            )


def _tiling(metadata: Metadata) -> list[Finding]:
    """Return the breaches of LLQ-PART-6 to LLQ-PART-9: parts lie inside, share nothing and leave nothing."""
    held: list[list[tuple[Part, Place]]] = [[] for _ in metadata.shards]
    for t, tensor in enumerate(metadata.tensors):
        for p, part in enumerate(tensor.parts):
            place = Place(pointer=f"/tensors/{t}/parts/{p}/offset", tensor=tensor.name)
            held[part.shard].append((part, place))
    findings: list[Finding] = []
    for index, (shard, parts) in enumerate(zip(metadata.shards, held, strict=True)):
        end, holder = PREAMBLE_BYTES, "the preamble"
        for part, place in sorted(parts, key=lambda item: item[0].offset):
            stop = part.offset + part.byte_length
            span = f"bytes {part.offset} to {stop - 1}"
            if part.offset < PREAMBLE_BYTES or stop > shard.byte_length:
                inside = f"within bytes {PREAMBLE_BYTES} to {shard.byte_length - 1}"
                findings.append(Finding("LLQ-PART-6", place, span, inside))
            elif part.offset < end:
                findings.append(
                    Finding("LLQ-PART-7", place, span, f"nothing before byte {end}, held by {holder}")
                )
            elif part.offset > end:
                findings.append(
                    Finding("LLQ-PART-8", place, f"offset {part.offset}", f"{end}, where {holder} ends")
                )
            end, holder = max(end, stop), f"tensor {place.tensor}"
        if end < shard.byte_length:
            place = Place(pointer=f"/shards/{index}/byte_length")
            findings.append(
                Finding("LLQ-PART-9", place, f"{shard.byte_length}", f"{end}, where {holder} ends")
            )
    return findings


def _placement(metadata: Metadata) -> Iterator[Finding]:
    try:
        expected = place(((t.name, t.dtype, t.shape) for t in metadata.tensors), metadata.shard_limit)
    except ShardLimitError as error:
        yield Finding("LLQ-CANON-4", Place(pointer="/shard_limit"), f"{metadata.shard_limit}", str(error))
        return
    for t, (tensor, parts) in enumerate(zip(metadata.tensors, expected.parts, strict=True)):
        for p, wanted in enumerate(parts):
            found = tensor.parts[p] if p < len(tensor.parts) else None
            spans = [
                "no part"
                if x is None
                else f"rows from {x.first_row}, {x.num_rows} of them, at byte {x.offset} of shard {x.shard}"
                for x in (found, wanted)
            ]
            if spans[0] != spans[1]:
                place_ = Place(pointer=f"/tensors/{t}/parts/{p}", tensor=tensor.name)
                yield Finding("LLQ-CANON-4", place_, spans[0], spans[1])
                return  # what follows is shifted, not wrong by itself
