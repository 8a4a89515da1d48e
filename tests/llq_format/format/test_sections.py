"""The byte ranges of parts, against the tables of chapter Shards and records."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llq_format.format.layout import Dtype, align
from llq_format.format.sections import item_bytes, part_bytes, sections
from tests.support import by_the_letter
from tests.support.invented_packages import DTYPES

SIZES = st.integers(1, 1 << 31)


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


def test_items_have_the_types_of_the_spec() -> None:
    affine = sections("int4_affine", 65, 1)
    spans = [(span.name, span.item, span.item_bytes, span.dtype.str, span.count) for span in affine]
    assert spans == [
        ("slot", "slot", 256, "|u1", 1),
        ("scale", "binary16", 2, "<f2", 2),
        ("zero_point", "i8", 1, "|i1", 2),
        ("packed", "block", 2048, "|u1", 2),
    ]
    assert [span.item_offset(1) for span in affine[1:]] == [256 + 2, 512 + 1, 768 + 2048]
    raw = [sections(dtype, 7, 3)[0] for dtype in ("f16", "f32")]
    assert [(span.item, span.dtype.str, span.count) for span in raw] == [
        ("binary16", "<f2", 21),
        ("binary32", "<f4", 21),
    ]
    assert item_bytes("int4_symmetric") == {"slot": 256, "scale": 2, "packed": 2048}
