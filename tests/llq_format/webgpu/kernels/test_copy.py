"""embed, dequantize and widen: results that have one bit pattern each."""

import numpy as np
import pytest

from tests.support.webgpu.kernel_bench import VARIANT_NAMES, Array, halves, run, unused

pytestmark = pytest.mark.gpu

EVERY_HALF = np.array([h for h in range(0x10000) if h & 0x7C00 != 0x7C00], np.uint16).view(np.float16)
"""Every finite binary16."""


def stored(table: Array) -> Array:
    """Return a raw tensor as words."""
    return halves(table) if table.dtype == np.float16 else table.view(np.uint32)


@pytest.mark.parametrize("variant", VARIANT_NAMES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("cols", [1, 3, 256, 577])
def test_embed_takes_the_rows_of_its_part(cols: int, dtype: type, variant: str) -> None:
    rng = np.random.default_rng(cols)
    table: Array = rng.standard_normal((11, cols)).astype(dtype)
    tokens = np.array([3, 0, 13, 14, 4, 13, 999, 0xFFFFFFFF], np.uint32)
    x = np.full((8, cols + 2), -7, np.float32)
    part = [3, 11, cols, cols + 2, int(dtype == np.float16)]
    *_, rows = run("embed", [stored(table), tokens, x], part, [-(-cols // 256), 8], variant)
    for t, token in enumerate(tokens):
        expected = x[t].copy()
        if 3 <= token < 14:
            expected[:cols] = table[token - 3]
        np.testing.assert_array_equal(rows[t], expected)


@pytest.mark.parametrize("variant", VARIANT_NAMES)
def test_widen_keeps_every_binary16(variant: str) -> None:
    for count in (EVERY_HALF.size, 777, 1):
        table = EVERY_HALF[:count]
        y = unused(count + 5, dtype=np.uint32)
        _, y = run("widen", [stored(table), y], [count, 5, 1], [7], variant)
        np.testing.assert_array_equal(y[5:], table.astype(np.float32).view(np.uint32))
        assert (y[:5] == 0xFFFFFFFF).all()


def test_widen_copies_binary32_bits() -> None:
    bits = np.random.default_rng(1).integers(0, 2**32, 1001, np.uint32)
    bits[:4] = [0x80000000, 1, 0x80000001, 0x7FFFFF]
    (_, y) = run("widen", [bits, unused(1001, dtype=np.uint32)], [1001, 0, 0], [2])
    np.testing.assert_array_equal(y, bits)


def planes(codes: Array) -> Array:
    """Return codes [64, 64] as the 2048 bytes of a block."""
    flat = codes.reshape(1024, 4)
    shifts = 2 * np.arange(4)
    low, high = ((flat & 3) << shifts).sum(axis=1), ((flat >> 2) << shifts).sum(axis=1)
    return np.concatenate([low, high]).astype(np.uint8)


@pytest.mark.parametrize("variant", VARIANT_NAMES)
@pytest.mark.parametrize("symmetric", [0, 1])
@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (64, 64), (65, 130), (200, 17), (3, 1000)])
def test_dequantize_is_exact(rows: int, cols: int, symmetric: int, variant: str) -> None:
    rng = np.random.default_rng([rows, cols])
    down, across = -(-rows // 64), -(-cols // 64)
    first_block, first_row = 3, 5
    count = down * across
    codes = rng.integers(0, 16, (count, 64, 64))
    scale = rng.integers(0x0400, 0x5C00, first_block + count).astype(np.uint16).view(np.float16)
    scale[first_block] = np.float16(2.0**-14)
    zero_point = rng.integers(-128, 128, first_block + count).astype(np.int8)
    zero_words = np.frombuffer(zero_point.tobytes().ljust(-(-len(zero_point) // 4) * 4, b"\xff"), np.uint32)
    packed = np.stack([planes(block) for block in codes]).view(np.uint32)
    y = unused(first_row + rows, cols, dtype=np.uint32)
    *_, result = run(
        "dequantize",
        [packed, halves(scale), halves(scale) if symmetric else zero_words, y],
        [rows, cols, first_row, across, first_block, symmetric],
        [across, down],
        variant,
    )
    zeros = np.full(count, 8) if symmetric else zero_point[first_block:].astype(np.int64)
    weights = (codes - zeros[:, None, None]) * scale[first_block:].astype(np.float64)[:, None, None]
    matrix = weights.reshape(down, across, 64, 64).transpose(0, 2, 1, 3).reshape(64 * down, 64 * across)
    expected = (matrix[:rows, :cols] + 0.0).astype(np.float32).view(np.uint32)
    np.testing.assert_array_equal(result[first_row:], expected)
    assert (result[:first_row] == 0xFFFFFFFF).all()
