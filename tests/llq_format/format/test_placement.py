"""Where parts go, by examples worked out by hand.

tests/spec/test_specification.py compares with the procedure.
"""

import pytest

from llq_format.format.placement import Placed, ShardLimitError, place

# A raw f32 tensor of n · 64 elements is n · 256 bytes long, so these lengths are counted in units of 256.


def test_tensors_that_fit_are_one_after_the_other() -> None:
    placement = place([("a", "f32", (64,)), ("b", "f16", (1,)), ("c", "int4_symmetric", (3, 3))], 1 << 20)
    assert placement.parts == (
        (Placed(0, 256, 256, 0, 64),),
        (Placed(0, 512, 256, 0, 1),),
        (Placed(0, 768, 256 + 256 + 2048, 0, 3),),
    )
    assert placement.shard_bytes == (768 + 2560,)


def test_an_exact_fit_fills_the_shard() -> None:
    assert place([("a", "f32", (64,)), ("b", "f32", (128,))], 1024).shard_bytes == (1024,)


def test_a_tensor_that_does_not_fit_goes_whole_into_a_new_shard() -> None:
    placement = place([("a", "f32", (64,)), ("b", "f32", (129,)), ("c", "f32", (1,))], 1024)
    assert placement.parts[1] == (Placed(1, 256, 768, 0, 129),)
    assert placement.parts[2] == (Placed(2, 256, 256, 0, 1),)
    assert placement.shard_bytes == (512, 1024, 512)


def test_a_tensor_too_large_for_a_shard_is_cut_into_new_shards_and_the_next_follows_its_last_part() -> None:
    placement = place([("a", "f32", (1,)), ("b", "f32", (7, 40)), ("c", "f32", (1,))], 1024)
    # 768 bytes hold four rows of 160 bytes; with padding three rows would need 512 already.
    assert placement.parts[1] == (Placed(1, 256, 768, 0, 4), Placed(2, 256, 512, 4, 3))
    assert placement.parts[2] == (Placed(2, 768, 256, 0, 1),)
    assert placement.shard_bytes == (512, 1024, 1024)


def test_a_matrix_is_cut_between_block_rows() -> None:
    # One block row of one block is 256 + 256 + 256 + 2048 bytes long, two are 4864.
    placement = place([("a", "int4_affine", (200, 64))], 256 + 4864)
    assert placement.parts == ((Placed(0, 256, 4864, 0, 128), Placed(1, 256, 4864, 128, 72)),)


def test_the_last_part_may_be_less_than_a_block_row() -> None:
    placement = place([("a", "int4_symmetric", (65, 1))], 256 + 2560)
    assert placement.parts == ((Placed(0, 256, 2560, 0, 64), Placed(1, 256, 2560, 64, 1)),)


@pytest.mark.parametrize(
    ("dtype", "shape", "limit", "unit"),
    [
        ("f32", (2, 65), 512, "row of 65 columns"),
        ("int4_symmetric", (65, 64), 2560, "block row of 64 columns"),
    ],
)
def test_a_tensor_whose_unit_fits_no_shard_is_refused_by_name(
    dtype: str, shape: tuple[int, ...], limit: int, unit: str
) -> None:
    with pytest.raises(ShardLimitError, match=f"tensor weight: one {unit}.*raise shard_limit"):
        place([("weight", dtype, shape)], limit)


def test_the_largest_shapes_are_placed_without_trying_every_row() -> None:
    rows = (1 << 31) - 1
    (parts,) = place([("a", "f16", (rows, 1))], (1 << 32) - 256).parts
    assert [part.num_rows for part in parts] == [(1 << 31) - 256, 255]


def test_no_tensors_need_no_shard() -> None:
    assert place([], 512).shard_bytes == ()
