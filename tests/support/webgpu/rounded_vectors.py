"""What kernels that round a vector may leave: INT8 codes, sums and scales, or binary16 values and sums."""

import numpy as np
from numpy.typing import NDArray

from tests.support.webgpu.kernel_bench import Array

Float64 = NDArray[np.float64]

GUARD = 2.0**-13
"""How far a code may be from the exact quotient in addition to one half (ACT-5)."""


def codes_of(words: Array) -> NDArray[np.int64]:
    """Return codes [blocks * 64] of words u32 [blocks, 16] in INT8 order."""
    codes = np.zeros((len(words), 64), np.int64)
    lanes = words.view(np.int8).reshape(-1, 16, 4)
    for word in range(16):
        for byte in range(4):
            codes[:, 16 * (word // 4) + 4 * byte + word % 4] = lanes[:, word, byte]
    return codes.reshape(-1)


def check_int8(values: Float64, error: Float64, words: Array, sums: Array, scale: float) -> None:
    """Assert that codes, sums and scale are those of a vector that is `values` within `error` (absolute).

    values: float64 [cols]; words: u32 [blocks, 16]; sums: i32 [blocks].
    """
    codes = codes_of(words)
    cols = len(values)
    np.testing.assert_array_equal(codes[cols:], 0)
    np.testing.assert_array_equal(sums, codes.reshape(-1, 64).sum(axis=1))
    largest = np.abs(values).max()
    if largest < 2.0**-100:
        np.testing.assert_array_equal(codes, 0)
        assert scale == 0  # noqa: S101
        return
    relative = float((error / largest).max())
    assert abs(scale * 127 / largest - 1) <= 2.0**-21 + relative  # noqa: S101
    quotient = 127 * values / largest
    excess = np.abs(quotient - codes[:cols]) - 0.5 - GUARD - 127 * (error / largest + relative)
    assert excess.max() <= 0, f"column {excess.argmax()}"  # noqa: S101
    assert np.abs(codes).max() == 127  # noqa: S101


def check_binary16(values: Float64, error: Float64, rounded: Array, sums: Array) -> None:
    """Assert that rounded [blocks * 64] and sums [blocks] are those of `values` within `error`."""
    cols = len(values)
    assert not np.isnan(rounded).any()  # noqa: S101
    np.testing.assert_array_equal(rounded[cols:], 0)
    limit = 65504.0
    low = np.clip(values - error, -limit, limit).astype(np.float16)
    high = np.clip(values + error, -limit, limit).astype(np.float16)
    assert (rounded[:cols] >= low).all()  # noqa: S101
    assert (rounded[:cols] <= high).all()  # noqa: S101
    np.testing.assert_array_equal(rounded, rounded.astype(np.float16).astype(np.float32))
    blocks = rounded.astype(np.float64).reshape(-1, 64)
    bound = 64 * 2.0**-24 * np.abs(blocks).sum(axis=1)
    assert (np.abs(sums - blocks.sum(axis=1)) <= bound).all()  # noqa: S101
