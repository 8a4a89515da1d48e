"""Codes to planes and back, against the snippet and the worked example of chapter Packing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from llq_format import pack, unpack
from llq_format.format.packing import outside_mask
from tests.support import by_the_letter

Codes = NDArray[np.uint8]
SEEDS = st.integers(0, 1 << 32)


def random_codes(seed: int, *leading: int) -> Codes:
    return np.random.default_rng(seed).integers(0, 16, (*leading, 64, 64), np.uint8)


def test_the_block_of_the_worked_example_has_the_bytes_that_the_spec_prints() -> None:
    codes = np.array([[(r + 3 * c) % 16 for c in range(64)] for r in range(64)], np.uint8)
    packed = pack(codes).tobytes()
    assert packed[:64] == bytes([0x6C] * 16 + [0xB1] * 16 + [0xC6] * 16 + [0x1B] * 16)
    assert packed[1024:1072] == bytes.fromhex("904F3AE5" * 4 + "94433EE9" * 4 + "A4530EF9" * 4)
    assert packed[:256] * 4 == packed[:1024]  # the rows repeat every 16
    assert packed[1024:1280] * 4 == packed[1024:]


@given(SEEDS)
def test_each_code_is_where_the_snippet_of_the_spec_looks_for_it(seed: int) -> None:
    codes = random_codes(seed)
    packed = pack(codes).tolist()
    assert [[by_the_letter.code(packed, r, c) for c in range(64)] for r in range(64)] == codes.tolist()


@pytest.mark.parametrize("element", [0, 1, 3, 4, 63, 64, 4095])
@pytest.mark.parametrize("bit", range(4))
def test_one_bit_of_one_code_is_one_bit_of_one_byte(element: int, bit: int) -> None:
    codes = np.zeros((64, 64), np.uint8)
    codes[element // 64, element % 64] = 1 << bit
    expected = bytearray(2048)
    expected[1024 * (bit >> 1) + (element >> 2)] = 1 << 2 * (element & 3) + (bit & 1)
    assert pack(codes).tobytes() == expected


@given(SEEDS)
def test_unpack_decodes_any_bytes_as_the_snippet_does(seed: int) -> None:
    packed = np.random.default_rng(seed).integers(0, 256, 2048, np.uint8)
    bytes_ = packed.tolist()
    assert unpack(packed).tolist() == [
        [by_the_letter.code(bytes_, r, c) for c in range(64)] for r in range(64)
    ]


@given(SEEDS, st.lists(st.integers(0, 3), max_size=2))
def test_unpack_undoes_pack_for_any_number_of_blocks(seed: int, leading: list[int]) -> None:
    codes = random_codes(seed, *leading)
    packed = pack(codes)
    assert packed.shape == (*leading, 2048)
    assert packed.dtype == np.uint8
    np.testing.assert_array_equal(unpack(packed), codes)


@given(SEEDS)
def test_pack_undoes_unpack_since_every_bit_of_a_block_is_used(seed: int) -> None:
    packed = np.random.default_rng(seed).integers(0, 256, (2, 2048), np.uint8)
    np.testing.assert_array_equal(pack(unpack(packed)), packed)


def views_of(array: Codes) -> list[Codes]:
    """Return arrays equal to the given one, in other memory orders."""
    strided = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), np.uint8)
    strided[..., ::2] = array
    backward = array[..., ::-1].copy()
    read_only = array.copy()
    read_only.setflags(write=False)
    return [np.asfortranarray(array), strided[..., ::2], backward[..., ::-1], read_only]


def test_the_memory_order_of_codes_and_bytes_does_not_matter() -> None:
    codes = random_codes(1, 3)
    packed = pack(codes)
    for view in views_of(codes):
        np.testing.assert_array_equal(pack(view), packed)
    for view in views_of(packed):
        np.testing.assert_array_equal(unpack(view), codes)


@pytest.mark.parametrize("dtype", [np.int8, np.bool_, np.int64, np.uint16, np.float32, ">u2"])
def test_other_dtypes_are_refused_rather_than_converted(dtype: str) -> None:
    with pytest.raises(TypeError, match="uint8"):
        pack(np.zeros((64, 64), dtype))
    with pytest.raises(TypeError, match="uint8"):
        unpack(np.zeros(2048, dtype))


@pytest.mark.parametrize("shape", [(), (64,), (64, 63), (63, 64), (4096,), (64, 64, 1)])
def test_codes_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"64, 64"):
        pack(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("shape", [(), (2047,), (2048, 1), (4096,), (0,)])
def test_packed_bytes_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="2048"):
        unpack(np.zeros(shape, np.uint8))


def test_a_code_above_15_is_refused_wherever_it_is() -> None:
    codes = random_codes(2, 2)
    codes[1, 63, 63] = 16
    with pytest.raises(ValueError, match="16"):
        pack(codes)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (1, 1), (64, 1), (1, 64), (63, 5)])
def test_the_mask_of_an_edge_block_covers_the_bits_of_outside_elements_alone(height: int, width: int) -> None:
    mask = outside_mask(height, width).tolist()
    codes = [[by_the_letter.code(mask, r, c) for c in range(64)] for r in range(64)]
    assert codes == [[0 if r < height and c < width else 15 for c in range(64)] for r in range(64)]
