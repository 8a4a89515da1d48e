"""Invalid: stage parts, shards and the places of parts in them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from vectors.cases.control import BIAS_TENSOR, WEIGHT_TENSOR, control, control_shards, split_matrix
from vectors.kit.noise import finite32
from vectors.kit.package import Package, assemble
from vectors.kit.placement import Run, uncut
from vectors.kit.registry import Key, invalid
from vectors.kit.tensor import Raw

WEIGHT = "/tensors/1/parts/0"


@invalid("LLQ-SHARD-1", cases={"one byte more": 3329, "one byte less": 3327, "128 bytes more": 3328 + 128})
def shard_length(byte_length: int) -> Package:
    """The byte_length of a shard is wrong ({}): it MUST be a multiple of 256."""
    return control().resize(byte_length)


@invalid("LLQ-SHARD-1")
def shard_without_parts() -> Package:
    """The second shard has a preamble and no part: its byte_length MUST be at least 512."""
    return assemble([BIAS_TENSOR], layout=[uncut(BIAS_TENSOR), []])


@invalid("LLQ-SHARD-1")
def shard_beyond_its_limit() -> Package:
    """A shard is longer than shard_limit."""
    return control().set("/shard_limit", 3072)


OUTSIDE: dict[str, int] = {
    "in the preamble": 0,
    Key("behind the end", "after the end"): 3328,
    Key("256 bytes beyond the end", "256 bytes past the end"): 768,
    Key("2048 bytes beyond the end", "2048 bytes past the end"): 2560,
    Key("far beyond the end", "far past the end"): 2**31,
    Key(
        "at the greatest offset, where offset + byte_length wraps",
        "at the maximum offset, where offset + byte_length wraps",
    ): 4_294_967_040,
    "where offset + byte_length wraps to the end": 2**32 - 2816 + 3328 - 512 - 256,
}


@invalid("LLQ-PART-6", "LLQ-READ-2", cases=OUTSIDE)
def part_lies(offset: int) -> Package:
    """A part is outside its shard ({}): it MUST be within its shard, after the preamble."""
    return control().set(WEIGHT + "/offset", offset)


@invalid("LLQ-PART-6")
def shard_cut_short() -> Package:
    """A shard, its preamble and its entry all end 256 bytes before the end of the last part."""
    return control().resize(3072)


@invalid("LLQ-PART-6")
def part_in_another_shard() -> Package:
    """The part of a long tensor names a shard that is shorter than the part."""
    package = assemble([BIAS_TENSOR, WEIGHT_TENSOR], shard_limit=3072)
    return package.set(WEIGHT + "/shard", 0)


@invalid("LLQ-PART-7")
def two_tensors_share_a_part() -> Package:
    """Two tensors have the same part: two parts MUST NOT share a byte."""
    twins = [replace(BIAS_TENSOR, name=name) for name in ("a", "b")]
    package = assemble(twins)
    return package.set("/tensors/1/parts/0/offset", 256).resize(512).hash()


@invalid("LLQ-PART-7")
def parts_overlap() -> Package:
    """A raw tensor shares the last 256 bytes of a record."""
    second = replace(BIAS_TENSOR, name="z")
    package = assemble([WEIGHT_TENSOR, second])
    offset = package.get(WEIGHT + "/offset")
    return package.set(WEIGHT + "/offset", offset - 256).resize(len(package.shards[0]) - 256).hash()


@invalid("LLQ-PART-7")
def part_within_a_part() -> Package:
    """A raw tensor shares the first 256 bytes of the codes of a record."""
    package = assemble([WEIGHT_TENSOR, replace(BIAS_TENSOR, name="z")])
    return package.set(WEIGHT + "/offset", 1024).resize(len(package.shards[0]) - 256).hash()


@invalid("LLQ-PART-7")
def parts_of_one_tensor_overlap() -> Package:
    """Two parts of one tensor are the same bytes."""
    package = control_shards()
    package.set("/tensors/0/parts/1/shard", 0)
    return package.hash()


@invalid("LLQ-PART-8", cases={"256 bytes": 256, "4096 bytes": 4096})
def hole_between_parts(gap: int) -> Package:
    """{} between two parts are unused: parts MUST follow each other without holes."""
    return assemble(
        [BIAS_TENSOR, WEIGHT_TENSOR], layout=[[*uncut(BIAS_TENSOR), Run(WEIGHT_TENSOR, 0, 40, gap=gap)]]
    )


@invalid("LLQ-PART-8")
def hole_before_the_first_part() -> Package:
    """The first part begins 256 bytes after the end of the preamble."""
    return assemble([BIAS_TENSOR], layout=[[Run(BIAS_TENSOR, 0, 5, gap=256)]])


@invalid("LLQ-PART-9", cases={"256": 3584, "4096": 3328 + 4096})
def trailing_bytes(byte_length: int) -> Package:
    """{} zero bytes follow the last part: the last part MUST end where the shard ends."""
    return control().resize(byte_length)


@invalid("LLQ-PART-9")
def trailing_data() -> Package:
    """256 bytes that are not zero follow the last part."""
    return control().resize(3584).poke(3328, b"\xa5" * 256)


@invalid("LLQ-PART-9")
def shard_of_no_part() -> Package:
    """No part is in the second shard, which is 512 bytes long."""
    package = assemble([BIAS_TENSOR], layout=[uncut(BIAS_TENSOR), []])
    return package.resize(512, index=1)


def floats(name: str, rows: int) -> Raw:
    """Return a raw tensor of rows of 64 bytes."""
    return Raw(name, "f32", (rows, 16), lambda index: finite32(len(name), index))


A, B, C = floats("a", 4), floats("b", 4), floats("c", 4)
LONG = floats("b", 12)
LAYOUTS: dict[str, tuple[list[Raw], list[Any], int]] = {
    "the second tensor before the first": ([A, B], [uncut(B, A)], 4096),
    Key("two shards where one would do", "two shards where one is enough"): (
        [A, B],
        [uncut(A), uncut(B)],
        4096,
    ),
    "the third tensor in a shard with room, not in the open one": (
        [A, LONG, C],
        [uncut(A, C), uncut(LONG)],
        1024,
    ),
    "shards in reverse": ([A, B], [uncut(B), uncut(A)], 512),
    "a tensor cut that would fit": ([LONG], [[Run(LONG, 0, 8)], [Run(LONG, 8, 4)]], 1024),
    "a tensor cut into parts in one shard": ([LONG], [[Run(LONG, 0, 8), Run(LONG, 8, 4)]], 1024),
    "a first part less than full": ([LONG], [[Run(LONG, 0, 4)], [Run(LONG, 4, 8)]], 768),
    Key("three parts where two would do", "three parts where two are enough"): (
        [LONG],
        [[Run(LONG, 0, 4)], [Run(LONG, 4, 4)], [Run(LONG, 8, 4)]],
        768,
    ),
    "a tensor cut to fill the open shard": (
        [A, LONG],
        [[*uncut(A), Run(LONG, 0, 8)], [Run(LONG, 8, 4)]],
        1024,
    ),
    Key("a new shard behind a short last part", "a new shard after a short last part"): (
        [LONG, C],
        [[Run(LONG, 0, 8)], [Run(LONG, 8, 4)], uncut(C)],
        768,
    ),
    "the next tensor before a short last part": (
        [LONG, C],
        [[Run(LONG, 0, 8)], [*uncut(C), Run(LONG, 8, 4)]],
        768,
    ),
    "parts of a tensor in shards out of order": ([LONG], [[Run(LONG, 8, 4)], [Run(LONG, 0, 8)]], 768),
}


@invalid("LLQ-CANON-4", cases=LAYOUTS)
def placed_with(change: tuple[list[Raw], list[Any], int]) -> Package:
    """Parts are placed in another way ({}): they MUST be split and placed by the placement procedure."""
    tensors, layout, shard_limit = change
    package = assemble(tensors, layout=layout, shard_limit=shard_limit)
    for tensor in package.metadata["tensors"]:
        tensor["parts"].sort(key=lambda part: part["first_row"])
    return package


@invalid("LLQ-CANON-4")
def matrix_cut_early() -> Package:
    """A matrix of three block rows is cut after the first, where two would fit."""
    matrix = split_matrix(192)
    limit = 256 + matrix.length(128)
    return assemble([matrix], layout=[[Run(matrix, 0, 64)], [Run(matrix, 64, 128)]], shard_limit=limit)


@invalid("LLQ-CANON-4")
def shard_limit_of_another_layout() -> Package:
    """The shards were cut for a smaller shard_limit than the metadata state."""
    return control_shards().set("/shard_limit", 8192)
