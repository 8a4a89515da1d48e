"""Decoding of blocks, bit for bit, against fractions."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from llq_format import PackedTensor, dequantize, pack
from llq_format.format.dequantize import largest_weight
from tests.support import by_the_letter
from tests.support.invented_packages import packed_tensor

SHAPES = st.tuples(st.integers(1, 70), st.integers(1, 140))


def bits(array: NDArray[np.float32]) -> list[int]:
    """Return the bits of binary32 values, row by row."""
    return [int(value) for value in array.astype("<f4").view("<u4").ravel()]


def one_block(scale_bits: int, zero_point: int | None, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Decode the first rows and columns of one block."""
    block = np.zeros((64, 64), np.uint8)
    block[: codes.shape[0], : codes.shape[1]] = codes
    scales = np.array([scale_bits], np.uint16).view(np.float16)
    zero_points = None if zero_point is None else np.array([zero_point], np.int8)
    rows, cols = codes.shape
    return dequantize(scales, zero_points, pack(block)[None], (rows, cols))


@pytest.mark.parametrize("scale_bits", [0x0400, 0x0401, 0x07FF, 0x2E66, 0x3C00, 0x5B2A, 0x5F28])
def test_every_code_with_every_zero_point_decodes_to_the_exact_product(scale_bits: int) -> None:
    codes = np.arange(16, dtype=np.uint8)[None]
    for zero_point in range(-128, 128):
        expected = [
            by_the_letter.binary32_bits(by_the_letter.weight(scale_bits, zero_point, q)) for q in range(16)
        ]
        assert bits(one_block(scale_bits, zero_point, codes)) == expected


def test_every_legal_scale_decodes_exactly_in_a_symmetric_tensor() -> None:
    legal = [b for b in range(0x0400, 0x7C00) if by_the_letter.binary16(b) * 8 <= 65504]
    scales = np.array(legal, np.uint16).view(np.float16)
    block = np.zeros((64, 64), np.uint8)
    block[0, :2] = 15, 3
    packed = np.tile(pack(block), (len(legal), 1))
    actual = dequantize(scales, None, packed, (64 * len(legal), 2))[::64]
    expected = [
        by_the_letter.binary32_bits(by_the_letter.weight(b, 8, q)) for b, q in product(legal, (15, 3))
    ]
    assert bits(actual) == expected


def test_zero_is_positive_whatever_the_scale() -> None:
    codes = np.array([[0, 8, 15]], np.uint8)
    assert bits(one_block(0x3C00, 0, codes))[0] == 0
    assert bits(one_block(0x3C00, 8, codes))[1] == 0
    assert bits(one_block(0x3C00, 15, codes))[2] == 0
    assert bits(one_block(0x3C00, None, codes))[1] == 0


@settings(max_examples=30)
@given(st.integers(0, 1 << 32), SHAPES, st.booleans())
def test_a_matrix_decodes_element_by_element(seed: int, shape: tuple[int, int], affine: bool) -> None:  # noqa: FBT001  # hypothesis draws it
    tensor = packed_tensor(np.random.default_rng(seed), shape, affine=affine)
    across = -(-shape[1] // 64)
    packed = tensor.packed.tolist()
    scale_bits = tensor.scales.view(np.uint16).tolist()
    zero_points = [8] * len(packed) if tensor.zero_points is None else tensor.zero_points.tolist()
    expected = []
    for row, col in product(range(shape[0]), range(shape[1])):
        b = row // 64 * across + col // 64
        q = by_the_letter.code(packed[b], row % 64, col % 64)
        expected.append(by_the_letter.binary32_bits(by_the_letter.weight(scale_bits[b], zero_points[b], q)))
    assert bits(tensor.dequantize()) == expected


def test_codes_outside_the_matrix_are_ignored() -> None:
    tensor = packed_tensor(np.random.default_rng(3), (65, 67), affine=True)
    spoilt = tensor.codes
    spoilt[2:, 1:] = 15  # below the matrix
    spoilt[1::2, :, 3:] = 9  # right of it
    changed = PackedTensor(tensor.shape, tensor.scales, tensor.zero_points, pack(spoilt))
    assert bits(changed.dequantize()) == bits(tensor.dequantize())


@pytest.mark.parametrize("shape", [(64, 64 * 33), (1, 64 * 65), (64 * 17, 64 * 16), (64 * 300, 1)])
def test_many_blocks_decode_as_each_does_alone(shape: tuple[int, int]) -> None:
    tensor = packed_tensor(np.random.default_rng(4), shape, affine=True)
    actual = tensor.dequantize()
    across = -(-shape[1] // 64)
    zero_points = tensor.zero_points
    assert zero_points is not None
    for b in range(len(tensor.scales)):
        i, j = divmod(b, across)
        piece = actual[64 * i : 64 * i + 64, 64 * j : 64 * j + 64]
        rows, cols = piece.shape
        alone = dequantize(
            tensor.scales[b : b + 1], zero_points[b : b + 1], tensor.packed[b : b + 1], (rows, cols)
        )
        np.testing.assert_array_equal(piece, alone)


def test_arrays_in_any_memory_and_byte_order_decode_alike() -> None:
    tensor = packed_tensor(np.random.default_rng(5), (130, 70), affine=True)
    expected = bits(tensor.dequantize())
    zero_points = tensor.zero_points
    assert zero_points is not None
    strided = np.repeat(tensor.packed, 2, axis=1)[:, ::2]
    for scales in (tensor.scales.astype(">f2"), np.repeat(tensor.scales, 2)[::2]):
        for packed in (np.asfortranarray(tensor.packed), strided):
            assert bits(dequantize(scales, np.repeat(zero_points, 3)[::3], packed, (130, 70))) == expected


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_result_goes_into_the_array_that_is_given(order: str) -> None:
    tensor = packed_tensor(np.random.default_rng(6), (70, 130), affine=False)
    wide = np.full((140, 260), np.nan, np.float32, order="C" if order == "C" else "F")
    out = wide[::2, ::2]
    result = dequantize(tensor.scales, None, tensor.packed, (70, 130), out=out)
    assert result is out
    assert bits(out) == bits(tensor.dequantize())
    assert np.isnan(wide[1::2]).all()
    assert np.isnan(wide[:, 1::2]).all()


SCALES, ZERO_POINTS, PACKED = np.ones(1, np.float16), np.zeros(1, np.int8), np.zeros((1, 2048), np.uint8)


@pytest.mark.parametrize(
    ("scales", "zero_points", "packed", "member"),
    [
        (SCALES.astype(np.float32), ZERO_POINTS, PACKED, "scales"),
        (SCALES.view(np.uint16), ZERO_POINTS, PACKED, "scales"),
        (SCALES, ZERO_POINTS.astype(np.uint8), PACKED, "zero_points"),
        (SCALES, ZERO_POINTS.astype(np.int16), PACKED, "zero_points"),
        (SCALES, ZERO_POINTS, PACKED.astype(np.int8), "packed"),
        (SCALES, ZERO_POINTS, PACKED.astype(np.int64), "packed"),
    ],
)
def test_other_dtypes_are_refused_by_name(
    scales: NDArray[np.float16], zero_points: NDArray[np.int8], packed: NDArray[np.uint8], member: str
) -> None:
    with pytest.raises(TypeError, match=member):
        dequantize(scales, zero_points, packed, (64, 64))


@pytest.mark.parametrize(
    ("scales", "zero_points", "packed", "member"),
    [
        (np.ones(2, np.float16), ZERO_POINTS, PACKED, "scales"),
        (np.ones((1, 1), np.float16), ZERO_POINTS, PACKED, "scales"),
        (SCALES, np.zeros(2, np.int8), PACKED, "zero_points"),
        (SCALES, ZERO_POINTS, np.zeros((2, 2048), np.uint8), "packed"),
        (SCALES, ZERO_POINTS, np.zeros((1, 2047), np.uint8), "packed"),
        (SCALES, ZERO_POINTS, np.zeros(2048, np.uint8), "packed"),
    ],
)
def test_shapes_that_do_not_agree_are_refused_by_name(
    scales: NDArray[np.float16], zero_points: NDArray[np.int8], packed: NDArray[np.uint8], member: str
) -> None:
    with pytest.raises(ValueError, match=member):
        dequantize(scales, zero_points, packed, (64, 64))


@pytest.mark.parametrize(
    "out", [np.zeros((64, 63), np.float32), np.zeros((64, 64)), np.zeros((64, 64), ">f4")]
)
def test_an_unfit_array_for_the_result_is_refused(out: NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match="out must be float32"):
        dequantize(SCALES, ZERO_POINTS, PACKED, (64, 64), out=out)


@given(st.integers(0x0400, 0x7BFF), st.integers(-128, 127))
def test_the_largest_weight_of_a_block_is_exact(scale_bits: int, zero_point: int) -> None:
    scales = np.array([scale_bits], np.uint16).view(np.float16)
    reach = max(abs(0 - zero_point), abs(15 - zero_point))
    (actual,) = largest_weight(scales, np.array([zero_point], np.int8)).tolist()
    assert Fraction(actual) == by_the_letter.binary16(scale_bits) * reach
    (symmetric,) = largest_weight(scales, None).tolist()
    assert Fraction(symmetric) == by_the_letter.binary16(scale_bits) * 8
