"""Valid: parts and shards as the placement procedure makes them."""

from __future__ import annotations

from vectors.cases.control import BIAS_TENSOR, WEIGHT_TENSOR, split_matrix
from vectors.kit.noise import finite16, finite32, noise
from vectors.kit.package import Package, assemble
from vectors.kit.registry import valid
from vectors.kit.tensor import Int4, Raw


def floats(name: str, *shape: int, dtype: str = "f32") -> Raw:
    """Return a raw tensor without pattern."""
    finite = finite16 if dtype == "f16" else finite32
    return Raw(name, dtype, shape, lambda index: finite(ord(name[0]), index))


@valid("LLQ-CANON-4")
def least_shard_limit() -> Package:
    """shard_limit is 512, which leaves 256 bytes for data: a tensor of one dimension has four parts."""
    return assemble([floats("weight", 200)], shard_limit=512)


@valid("LLQ-CANON-4")
def least_shard_limit_f16() -> Package:
    """shard_limit is 512; each part holds 128 f16 values."""
    return assemble([floats("weight", 300, dtype="f16")], shard_limit=512)


@valid("LLQ-CANON-4")
def greatest_shard_limit() -> Package:
    """shard_limit is 4,294,967,040."""
    return assemble([BIAS_TENSOR, WEIGHT_TENSOR], shard_limit=4_294_967_040)


@valid("LLQ-CANON-4")
def exact_fit() -> Package:
    """Two tensors fill a shard of exactly shard_limit bytes."""
    return assemble([BIAS_TENSOR, WEIGHT_TENSOR], shard_limit=3328)


@valid("LLQ-CANON-4")
def just_no_fit() -> Package:
    """The second tensor is 256 bytes too long for the first shard, and is placed in another."""
    return assemble([BIAS_TENSOR, WEIGHT_TENSOR], shard_limit=3072)


@valid("LLQ-CANON-4")
def no_going_back() -> Package:
    """The third tensor would fit after the first, but is placed after the second, in the open shard."""
    tensors = [floats("a", 64), floats("b", 150), floats("c", 3)]
    return assemble(tensors, shard_limit=1280)


@valid("LLQ-CANON-4", "LLQ-PART-10")
def rows_that_do_not_fill() -> Package:
    """Each part holds three rows of 200 bytes, and padding fills the part."""
    return assemble([floats("weight", 8, 100, dtype="f16")], shard_limit=1024)


@valid("LLQ-CANON-4", "LLQ-PART-10")
def remainder_then_next() -> Package:
    """A cut tensor ends with a short part; two more tensors follow it."""
    tensors = [floats("a", 9, 64), floats("b", 5), floats("c", 2, 3)]
    return assemble(tensors, shard_limit=1280)


@valid("LLQ-CANON-4", "LLQ-PART-10")
def small_then_cut() -> Package:
    """A tensor too large for any shard begins in a new one, although the open one has room."""
    return assemble([floats("a", 5), floats("b", 20, 32)], shard_limit=1024)


@valid("LLQ-CANON-4", "LLQ-PART-10")
def cut_then_cut() -> Package:
    """Two cut tensors in sequence: the second begins in a new shard."""
    return assemble([floats("a", 9, 32), floats("b", 9, 32)], shard_limit=768)


@valid("LLQ-PART-10", "LLQ-PACK-5", "LLQ-PART-2")
def matrix_in_three_parts() -> Package:
    """An INT4 tensor of 3 x 2 blocks in three parts: i and b count within the part."""
    weight = Int4(
        "weight",
        (139, 67),
        code=lambda r, c: noise(9, 67 * r + c) & 15,
        scale=lambda i, j: 0x2A00 + 0x111 * (2 * i + j),
        zero_point=lambda i, j: 2 * i + j - 1,
    )
    return assemble([weight], shard_limit=5120)


@valid("LLQ-PART-10", "LLQ-PACK-5")
def two_block_rows_to_a_part() -> Package:
    """An INT4 tensor of four block rows, two to a part."""
    weight = Int4("weight", (200, 3), lambda r, c: r + c & 15, lambda i, _j: 0x3000 + i, lambda i, _j: i)
    return assemble([weight], shard_limit=256 + 256 + 512 + 2 * 2048 + 1024)


@valid("LLQ-PART-10", "LLQ-DEQ-4")
def symmetric_in_two_parts() -> Package:
    """A symmetric tensor in two parts."""
    weight = Int4("weight", (100, 3), lambda r, c: (r + c) & 15, lambda i, _j: 0x3000 + i, None)
    return assemble([weight], shard_limit=2816)


@valid("LLQ-REC-3", "LLQ-PART-8")
def several_tensors() -> Package:
    """Four tensors of all dtypes in one shard: the offset of a record counts from the start of the shard."""
    symmetric = Int4("d", (3, 5), lambda r, c: r + c, lambda _i, _j: 0x3400, None)
    return assemble([floats("a", 3), split_matrix(3, "b"), floats("c", 130, dtype="f16"), symmetric])


@valid("LLQ-SHARD-4", "LLQ-PKG-4")
def eleven_shards() -> Package:
    """Eleven shards: both numbers of their names have five digits."""
    return assemble([floats("weight", 11, 64)], shard_limit=512)
