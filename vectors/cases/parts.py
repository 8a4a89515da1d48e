"""Invalid: stage parts, each part by itself."""

from __future__ import annotations

from dataclasses import replace

from vectors.cases.control import control, control_parts, split_matrix
from vectors.kit.noise import finite32
from vectors.kit.package import Package, assemble
from vectors.kit.placement import Run
from vectors.kit.registry import Key, invalid
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


@invalid("LLQ-PART-1", cases=COVERS)
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
    """The last part has more rows than remain, and its length fits its rows."""
    taller = replace(ROWS, shape=(14, 16))
    package = assemble([taller], shard_limit=512)
    return package.set("/tensors/0/shape", [12, 16])


@invalid("LLQ-PART-1", cases={"first_row": ("/first_row", 2**31 - 1), "num_rows": ("/num_rows", 2**31 - 1)})
def row_bomb(change: tuple[str, int]) -> Package:
    """The {} of a part is 2147483647."""
    return control().set(WEIGHT + change[0], change[1])


def matrix_runs(rows: int, *pieces: tuple[int, int]) -> Package:
    """Return a matrix in parts of given rows, each in a shard of its own."""
    matrix = split_matrix(rows)
    limit = 256 + max(matrix.length(num_rows) for _, num_rows in pieces)
    return assemble([matrix], layout=[[Run(matrix, *piece)] for piece in pieces], shard_limit=limit)


@invalid(
    "LLQ-PART-2", cases={"63": [(0, 63), (63, 64)], "65": [(0, 65), (65, 62)], "32": [(0, 32), (32, 95)]}
)
def matrix_cut_after(pieces: list[tuple[int, int]]) -> Package:
    """An INT4 tensor is cut after row {}: every part except the last MUST hold a multiple of 64 rows."""
    return matrix_runs(127, *pieces)


@invalid("LLQ-PART-2")
def middle_part_of_40_rows() -> Package:
    """The second of three parts of an INT4 tensor holds 40 rows."""
    return matrix_runs(150, (0, 64), (64, 40), (104, 46))


@invalid("LLQ-PART-3", cases={"1, of 1": 1, "99998": 99_998})
def part_in_shard(index: int) -> Package:
    """The shard of a part is {}: it MUST be the index of an entry of shards."""
    return control().set(WEIGHT + "/shard", index)


@invalid("LLQ-PART-4", cases={"513": 513, "640": 640, "516": 516, "511": 511, "768 + 128": 896})
def part_at(offset: int) -> Package:
    """The offset of a part is {}: it MUST be a multiple of 256."""
    return control().set(WEIGHT + "/offset", offset)


LENGTHS = {
    "without the slot": 2560,
    "without padding": 2309,
    "256 more": 3072,
    "1 more": 2817,
    "1": 1,
    Key("the greatest", "the maximum"): 4_294_967_040,
    "of codes alone": 2048,
}


@invalid("LLQ-PART-5", cases=LENGTHS)
def part_length(byte_length: int) -> Package:
    """A record has a wrong byte_length ({}): it MUST be what its dtype, rows and columns give."""
    return control().set(WEIGHT + "/byte_length", byte_length)


@invalid("LLQ-PART-5", cases={"without padding": 10, "as if f32 without padding": 20, "512": 512})
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


@invalid("LLQ-PART-5", "LLQ-READ-2", cases=WRAPS)
def length_wraps(change: tuple[int, list[int], int]) -> Package:
    """A length wraps in 32 bits ({}): no value below 2^64 may wrap."""
    index, shape, byte_length = change
    package = control().set("/tensors/0/dtype", "f32")
    package.set(f"/tensors/{index}/shape", shape).set(f"/tensors/{index}/parts/0/num_rows", shape[0])
    return package.set(f"/tensors/{index}/parts/0/byte_length", byte_length)


@invalid("LLQ-PART-5", "LLQ-READ-2")
def record_length_wraps() -> Package:
    """A record is slightly longer than 2^32, and byte_length is the remainder: it MUST NOT wrap."""
    columns = wrapping_columns()
    length = record_length(split_matrix(), columns // 64) % 2**32
    package = control().set("/tensors/1/shape", [64, columns]).set(WEIGHT + "/num_rows", 64)
    return package.set(WEIGHT + "/byte_length", length)
