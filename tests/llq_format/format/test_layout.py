"""The sizes of the layout, and the blocks of a matrix."""

from hypothesis import given
from hypothesis import strategies as st

from llq_format.format.layout import align, block_grid, ceil_div, rows_cols
from tests.support import by_the_letter

SIZES = st.integers(1, 1 << 31)


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
