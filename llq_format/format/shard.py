"""A shard: the preamble, then the parts that tile it (spec: Shards and records)."""

from collections.abc import Mapping

from construct import Bytes, Int16ul, Int32ul, Int64ul, Struct

from llq_format.format.declarations import Fixed, fields, zeros
from llq_format.format.layout import VERSION
from llq_format.format.raw_tensor import RAW_TENSORS, raw_tensor
from llq_format.format.record import RECORDS

MAGIC = bytes.fromhex("89 4C 4C 51 0D 0A 1A 0A")

PREAMBLE = Struct(
    "magic"
    / Fixed(Bytes(len(MAGIC)), MAGIC)
    * "LLQ, between bytes that a transfer as text changes (LLQ-SHARD-2).",
    "version_major" / Fixed(Int16ul, VERSION[0]) * "Version of the format (LLQ-SHARD-3).",
    "version_minor" / Fixed(Int16ul, VERSION[1]) * "Version of the format (LLQ-SHARD-3).",
    "shard_index" / Int32ul * "Index in `shards` of metadata.json, from 0 (LLQ-SHARD-4).",
    "shard_count" / Int32ul * "Length of `shards` (LLQ-SHARD-4).",
    "reserved_20" / zeros(4) * "Zeros (LLQ-SHARD-6).",
    "byte_length" / Int64ul * "Bytes of the whole shard (LLQ-SHARD-5).",
    "reserved_32" / zeros(224) * "Zeros (LLQ-SHARD-6).",
)
"""The first 256 bytes of a shard."""

PREAMBLE_FIELDS = fields(PREAMBLE)
PREAMBLE_BYTES = PREAMBLE.sizeof()

PARTS: Mapping[str, Struct] = {**RECORDS, **RAW_TENSORS}
"""Parts by dtype."""


def shard(parts: Mapping[str, tuple[str, int]]) -> Struct:
    """Return the declaration of a shard that holds these parts.

    parts: from the name of a tensor to (dtype, number of values) of its part, in order of offset; a shard has
    at most one part of a tensor. Records hold their number of blocks, so the number of values is ignored.
    """
    return Struct(
        "preamble" / PREAMBLE,
        "parts" / Struct(*(name / _part(dtype, num_values) for name, (dtype, num_values) in parts.items())),
    )


def _part(dtype: str, num_values: int) -> Struct:
    return RECORDS[dtype] if dtype in RECORDS else raw_tensor(dtype, num_values)
