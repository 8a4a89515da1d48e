"""Invalid: stage parts, where parts lie."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from vectors.cases.control import (
    BIAS_TENSOR,
    WEIGHT_TENSOR,
    control,
    control_parts,
    control_shards,
    split_matrix,
)
from vectors.kit.noise import finite32
from vectors.kit.package import Package, assemble
from vectors.kit.placement import Run, whole
from vectors.kit.registry import invalid
from vectors.kit.tensor import Int4, Raw

WEIGHT = "/tensors/1/parts/0"
ROWS = Raw("rows", "f32", (12, 16), lambda index: finite32(10, index))  # rows of 64 bytes


def runs(*pieces: tuple[int, int]) -> Package:
    """Return ROWS in parts of given rows, each in a shard of its own."""
    return assemble([ROWS], layout=[[Run(ROWS, *piece)] for piece in pieces], shard_limit=512)


COVERS = {
    "do not begin at row 0": [(4, 4), (8, 4)],
    "end before the last row": [(0, 4), (4, 4)],
    "leave a row out": [(0, 4), (5, 4), (9, 3)],
    "overlap": [(0, 4), (3, 4), (7, 4), (11, 1)],
    "repeat": [(0, 4), (0, 4), (4, 4), (8, 4)],
    "cover the last row but not the first": [(1, 4), (5, 4), (9, 3)],
}


@invalid("LLQ-PART-1", each=COVERS)
def parts_that(pieces: list[tuple[int, int]]) -> Package:
    """The parts of a tensor {}, and MUST cover its rows once."""
    return runs(*pieces)


@invalid("LLQ-PART-1")
def parts_in_reverse() -> Package:
    """The parts of a tensor are listed in reverse, and MUST be listed in row order."""
    package = control_parts()
    return package.set("/tensors/0/parts", package.get("/tensors/0/parts")[::-1])


@invalid("LLQ-PART-1")
def part_beyond_the_last_row() -> Package:
    """The last part has more rows than are left, and its length fits them."""
    taller = replace(ROWS, shape=(14, 16))
    package = assemble([taller], shard_limit=512)
    return package.set("/tensors/0/shape", [12, 16])


@invalid("LLQ-PART-1", each={"first_row": ("/first_row", 2**31 - 1), "num_rows": ("/num_rows", 2**31 - 1)})
def row_bomb(change: tuple[str, int]) -> Package:
    """The {} of a part is 2147483647."""
    return control().set(WEIGHT + change[0], change[1])


def matrix_runs(rows: int, *pieces: tuple[int, int]) -> Package:
    """Return a matrix in parts of given rows, each in a shard of its own."""
    matrix = split_matrix(rows)
    limit = 256 + max(matrix.length(num_rows) for _, num_rows in pieces)
    return assemble([matrix], layout=[[Run(matrix, *piece)] for piece in pieces], shard_limit=limit)


@invalid("LLQ-PART-2", each={"63": [(0, 63), (63, 64)], "65": [(0, 65), (65, 62)], "32": [(0, 32), (32, 95)]})
def matrix_cut_after(pieces: list[tuple[int, int]]) -> Package:
    """An INT4 tensor is cut after row {}: every part but the last MUST hold a multiple of 64 rows."""
    return matrix_runs(127, *pieces)


@invalid("LLQ-PART-2")
def middle_part_of_40_rows() -> Package:
    """The second of three parts of an INT4 tensor holds 40 rows."""
    return matrix_runs(150, (0, 64), (64, 40), (104, 46))


@invalid("LLQ-PART-3", each={"1, of 1": 1, "99998": 99_998})
def part_in_shard(index: int) -> Package:
    """A part lies in shard {}: that MUST be the index of an entry of shards."""
    return control().set(WEIGHT + "/shard", index)


@invalid("LLQ-PART-4", each={"513": 513, "640": 640, "516": 516, "511": 511, "768 + 128": 896})
def part_at(offset: int) -> Package:
    """A part lies at {}: its offset MUST be a multiple of 256."""
    return control().set(WEIGHT + "/offset", offset)


LENGTHS = {
    "without the slot": 2560,
    "without padding": 2309,
    "256 more": 3072,
    "1 more": 2817,
    "1": 1,
    "the greatest": 4_294_967_040,
    "of codes alone": 2048,
}


@invalid("LLQ-PART-5", each=LENGTHS)
def part_length(byte_length: int) -> Package:
    """A record has a wrong byte_length ({}): it MUST be what its dtype, rows and columns give."""
    return control().set(WEIGHT + "/byte_length", byte_length)


@invalid("LLQ-PART-5", each={"without padding": 10, "as if f32 without padding": 20, "512": 512})
def raw_part_length(byte_length: int) -> Package:
    """The byte_length of a raw part is wrong ({}): it MUST be 256."""
    return control().set("/tensors/0/parts/0/byte_length", byte_length)


@invalid("LLQ-PART-5")
def dtype_with_another_length() -> Package:
    """A record of an int4_affine tensor is called int4_symmetric, which has no zero_point section."""
    return control().set("/tensors/1/dtype", "int4_symmetric")


@invalid("LLQ-PART-5")
def symmetric_with_zero_points() -> Package:
    """A record of an int4_symmetric tensor is called int4_affine, which has a zero_point section."""
    matrix = Int4("weight", (9, 9), lambda r, c: r + c & 15, zero_point=None)
    return assemble([matrix]).set("/tensors/0/dtype", "int4_affine")


@invalid("LLQ-PART-5")
def shape_that_needs_more_blocks() -> Package:
    """The shape is 65 columns wide, and the part holds one block."""
    return control().set("/tensors/1/shape/1", 65)


def wrapping_columns() -> int:
    """Return columns of a matrix of 64 rows whose record is a little longer than 2^32 bytes."""
    matrix = Int4("weight", (64, 1), lambda _r, _c: 0)
    blocks = next(n for n in range(2_093_000, 2_098_000) if record_length(matrix, n) % 2**32 <= 2**13)
    return 64 * blocks


def record_length(matrix: Int4, blocks: int) -> int:
    """Return the length of a record of a row of blocks."""
    return replace(matrix, shape=(64, 64 * blocks)).length(64)


WRAPS: dict[str, tuple[int, list[int], int]] = {
    "f32 of 64 x 16777217": (0, [64, 2**24 + 1], 256),
    "f32 of 1024 x 1048576": (0, [1024, 2**20], 256),
    "f32 of 65536 x 65536": (0, [65_536, 65_536], 256),
    "int4_affine of 65536 x 65536": (1, [65_536, 65_536], 2816),
    "int4_affine of 2147483647 x 1": (1, [2**31 - 1, 1], 2816),
    "int4_affine of 1 x 2147483647": (1, [1, 2**31 - 1], 2816),
}


@invalid("LLQ-PART-5", "LLQ-READ-2", each=WRAPS)
def length_wraps(change: tuple[int, list[int], int]) -> Package:
    """A length wraps in 32 bits ({}): no value below 2^64 may wrap."""
    index, shape, byte_length = change
    package = control().set("/tensors/0/dtype", "f32")
    package.set(f"/tensors/{index}/shape", shape).set(f"/tensors/{index}/parts/0/num_rows", shape[0])
    return package.set(f"/tensors/{index}/parts/0/byte_length", byte_length)


@invalid("LLQ-PART-5", "LLQ-READ-2")
def record_length_wraps() -> Package:
    """The length of a record is a little above 2^32, and byte_length is its remainder: it MUST NOT wrap."""
    columns = wrapping_columns()
    length = record_length(split_matrix(), columns // 64) % 2**32
    package = control().set("/tensors/1/shape", [64, columns]).set(WEIGHT + "/num_rows", 64)
    return package.set(WEIGHT + "/byte_length", length)


@invalid("LLQ-SHARD-1", each={"one byte more": 3329, "one byte less": 3327, "128 bytes more": 3328 + 128})
def shard_length(byte_length: int) -> Package:
    """A shard has a wrong length ({}): its byte_length MUST be a multiple of 256."""
    return control().resize(byte_length)


@invalid("LLQ-SHARD-1")
def shard_without_parts() -> Package:
    """The second shard is nothing but a preamble: its byte_length MUST be at least 512."""
    return assemble([BIAS_TENSOR], layout=[whole(BIAS_TENSOR), []])


@invalid("LLQ-SHARD-1")
def shard_beyond_its_limit() -> Package:
    """A shard is longer than shard_limit."""
    return control().set("/shard_limit", 3072)


OUTSIDE: dict[str, int] = {
    "in the preamble": 0,
    "behind the end": 3328,
    "256 bytes beyond the end": 768,
    "2048 bytes beyond the end": 2560,
    "far beyond the end": 2**31,
    "at the greatest offset, where offset + byte_length wraps": 4_294_967_040,
    "where offset + byte_length wraps to the end": 2**32 - 2816 + 3328 - 512 - 256,
}


@invalid("LLQ-PART-6", "LLQ-READ-2", each=OUTSIDE)
def part_lies(offset: int) -> Package:
    """A part lies outside ({}): it MUST lie within its shard, after the preamble."""
    return control().set(WEIGHT + "/offset", offset)


@invalid("LLQ-PART-6")
def shard_cut_short() -> Package:
    """A shard, its preamble and its entry end together, 256 bytes before the last part does."""
    return control().resize(3072)


@invalid("LLQ-PART-6")
def part_in_another_shard() -> Package:
    """The part of a long tensor is said to lie in a shard that is shorter than it."""
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
    """The last 256 bytes of a record are also a raw tensor."""
    behind = replace(BIAS_TENSOR, name="z")
    package = assemble([WEIGHT_TENSOR, behind])
    offset = package.get(WEIGHT + "/offset")
    return package.set(WEIGHT + "/offset", offset - 256).resize(len(package.shards[0]) - 256).hash()


@invalid("LLQ-PART-7")
def part_within_a_part() -> Package:
    """The first 256 bytes of the codes of a record are also a raw tensor."""
    package = assemble([WEIGHT_TENSOR, replace(BIAS_TENSOR, name="z")])
    return package.set(WEIGHT + "/offset", 1024).resize(len(package.shards[0]) - 256).hash()


@invalid("LLQ-PART-7")
def parts_of_one_tensor_overlap() -> Package:
    """Two parts of one tensor are the same bytes."""
    package = control_shards()
    package.set("/tensors/0/parts/1/shard", 0)
    return package.hash()


@invalid("LLQ-PART-8", each={"256 bytes": 256, "4096 bytes": 4096})
def hole_between_parts(gap: int) -> Package:
    """{} between two parts are unused: the parts of a shard MUST leave none."""
    return assemble(
        [BIAS_TENSOR, WEIGHT_TENSOR], layout=[[*whole(BIAS_TENSOR), Run(WEIGHT_TENSOR, 0, 40, gap=gap)]]
    )


@invalid("LLQ-PART-8")
def hole_before_the_first_part() -> Package:
    """The first part lies 256 bytes behind the preamble."""
    return assemble([BIAS_TENSOR], layout=[[Run(BIAS_TENSOR, 0, 5, gap=256)]])


@invalid("LLQ-PART-9", each={"256": 3584, "4096": 3328 + 4096})
def trailing_bytes(byte_length: int) -> Package:
    """{} zero bytes follow the last part: it MUST end where the shard ends."""
    return control().resize(byte_length)


@invalid("LLQ-PART-9")
def trailing_data() -> Package:
    """256 bytes that are not zero follow the last part."""
    return control().resize(3584).poke(3328, b"\xa5" * 256)


@invalid("LLQ-PART-9")
def shard_of_no_part() -> Package:
    """No part lies in the second shard, which is 512 bytes long."""
    package = assemble([BIAS_TENSOR], layout=[whole(BIAS_TENSOR), []])
    return package.resize(512, index=1)


def floats(name: str, rows: int) -> Raw:
    """Return a raw tensor of rows of 64 bytes."""
    return Raw(name, "f32", (rows, 16), lambda index: finite32(len(name), index))


A, B, C = floats("a", 4), floats("b", 4), floats("c", 4)
LONG = floats("b", 12)
LAYOUTS: dict[str, tuple[list[Raw], list[Any], int]] = {
    "the second tensor before the first": ([A, B], [whole(B, A)], 4096),
    "two shards where one would do": ([A, B], [whole(A), whole(B)], 4096),
    "the third tensor in a shard with room, not in the open one": (
        [A, LONG, C],
        [whole(A, C), whole(LONG)],
        1024,
    ),
    "shards in reverse": ([A, B], [whole(B), whole(A)], 512),
    "a tensor cut that would fit": ([LONG], [[Run(LONG, 0, 8)], [Run(LONG, 8, 4)]], 1024),
    "a tensor cut into parts in one shard": ([LONG], [[Run(LONG, 0, 8), Run(LONG, 8, 4)]], 1024),
    "a first part less than full": ([LONG], [[Run(LONG, 0, 4)], [Run(LONG, 4, 8)]], 768),
    "three parts where two would do": (
        [LONG],
        [[Run(LONG, 0, 4)], [Run(LONG, 4, 4)], [Run(LONG, 8, 4)]],
        768,
    ),
    "a tensor cut to fill the open shard": (
        [A, LONG],
        [[*whole(A), Run(LONG, 0, 8)], [Run(LONG, 8, 4)]],
        1024,
    ),
    "a new shard behind a short last part": (
        [LONG, C],
        [[Run(LONG, 0, 8)], [Run(LONG, 8, 4)], whole(C)],
        768,
    ),
    "the next tensor before a short last part": (
        [LONG, C],
        [[Run(LONG, 0, 8)], [*whole(C), Run(LONG, 8, 4)]],
        768,
    ),
    "parts of a tensor in shards out of order": ([LONG], [[Run(LONG, 8, 4)], [Run(LONG, 0, 8)]], 768),
}


@invalid("LLQ-CANON-4", each=LAYOUTS)
def placed_with(change: tuple[list[Raw], list[Any], int]) -> Package:
    """Parts lie otherwise ({}): they MUST be cut and placed as the placement procedure does it."""
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
    """The shards were cut for a lesser shard_limit than the metadata state."""
    return control_shards().set("/shard_limit", 8192)
