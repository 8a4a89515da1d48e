"""The byte layout of shards, against the tables of chapter Shards and records."""

import struct
from itertools import pairwise

import pytest
from construct import ConstError
from hypothesis import given
from hypothesis import strategies as st

from llq_format.format.layout import (
    PACKED_WEIGHT,
    PACKED_WEIGHT_WRITTEN,
    PREAMBLE,
    PREAMBLE_WRITTEN,
    Dtype,
    align,
    block_grid,
    ceil_div,
    part_bytes,
    rows_cols,
    sections,
)
from tests.support import by_the_letter
from tests.support.invented_packages import DTYPES

SIZES = st.integers(1, 1 << 31)


def test_a_preamble_has_its_fields_where_the_table_has_them() -> None:
    data = PREAMBLE_WRITTEN.build(
        {"shard_index": 0x01020304, "shard_count": 0x05060708, "byte_length": 0x090A0B0C0D0E0F10}
    )
    assert data == (
        bytes.fromhex("89 4C 4C 51 0D 0A 1A 0A  01 00  00 00  04 03 02 01  08 07 06 05  00 00 00 00")
        + bytes.fromhex("10 0F 0E 0D 0C 0B 0A 09")
        + bytes(224)
    )


def test_a_slot_has_its_fields_where_the_table_has_them() -> None:
    data = PACKED_WEIGHT_WRITTEN.build({"num_blocks": 0x01020304, "offset": 0x05060708})
    assert data == struct.pack("<4I", 64, 64, 0x01020304, 0x05060708) + bytes(240)


def test_parsers_report_what_is_there_and_judge_nothing() -> None:
    data = bytes(range(256))
    preamble, slot = PREAMBLE.parse(data), PACKED_WEIGHT.parse(data)
    assert preamble.magic == data[:8]
    assert (preamble.version_major, preamble.version_minor) == struct.unpack_from("<2H", data, 8)
    assert (preamble.shard_index, preamble.shard_count) == struct.unpack_from("<2I", data, 12)
    assert preamble.byte_length == struct.unpack_from("<Q", data, 24)[0]
    assert preamble.reserved_20 + preamble.reserved_32 == data[20:24] + data[32:]
    fields = (slot.block_rows, slot.block_cols, slot.num_blocks, slot.offset)
    assert fields == struct.unpack_from("<4I", data)
    assert slot.reserved_16 == data[16:]


def test_what_is_written_cannot_have_another_magic() -> None:
    with pytest.raises(ConstError):
        PREAMBLE_WRITTEN.build(
            {"magic": b"GGUF\0\0\0\0", "shard_index": 0, "shard_count": 1, "byte_length": 512}
        )


@given(DTYPES, st.integers(1, 1 << 20), st.integers(1, 1 << 20))
def test_the_length_of_a_part_is_the_formula_of_the_spec(dtype: Dtype, rows: int, cols: int) -> None:
    assert part_bytes(dtype, rows, cols) == by_the_letter.part_length(dtype, rows, cols)


@given(DTYPES, SIZES, SIZES)
def test_sections_tile_a_part_each_on_a_multiple_of_256(dtype: Dtype, rows: int, cols: int) -> None:
    spans = sections(dtype, rows, cols)
    assert spans[0].offset == 0
    assert all(span.end == after.offset for span, after in pairwise(spans))
    assert all(span.offset % 256 == 0 and 0 <= span.end - span.offset - span.size < 256 for span in spans)
    assert spans[-1].end == part_bytes(dtype, rows, cols)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("int4_affine", [("slot", 0, 256), ("scale", 256, 1036), ("zero_point", 1536, 518)]),
        ("int4_symmetric", [("slot", 0, 256), ("scale", 256, 1036)]),
    ],
)
def test_the_sections_of_a_record_are_those_of_the_table(
    dtype: Dtype, expected: list[tuple[str, int, int]]
) -> None:
    spans = [(span.name, span.offset, span.size) for span in sections(dtype, 65, 259 * 64)]
    packed = expected[-1][1] + align(expected[-1][2])
    assert spans == [*expected, ("packed", packed, 2048 * 518)]


@given(SIZES, SIZES)
def test_integers_are_divided_without_floating_point(a: int, b: int) -> None:
    assert ceil_div(a, b) == by_the_letter.ceil_div(a, b)
    assert ceil_div(a * b * b, b) == a * b
    assert align(a) == by_the_letter.align(a)


def test_blocks_cover_edges() -> None:
    assert [block_grid(rows, 130) for rows in (1, 64, 65, 128)] == [(1, 3), (1, 3), (2, 3), (2, 3)]


def test_a_tensor_of_one_dimension_has_rows_of_one_element() -> None:
    assert rows_cols((7,)) == (7, 1)
    assert rows_cols((7, 3)) == (7, 3)
