"""Codes to weights: scale · (q − zero_point), exactly (spec: Dequantization).

The product is exact in binary32, so every order of evaluation gives the same bits. A byte of each plane holds
the same four elements, so the two bytes together index a table of four codes: one look-up decodes four.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
from numpy.typing import NDArray

from llq_format.layout import BLOCK, BLOCK_BYTES, block_grid

ZERO_POINT_SYMMETRIC = 8
LARGEST_WEIGHT = 65504.0  # the largest binary16 value (LLQ-DEQ-2)
_RUN = 32  # blocks decoded at a time: half a MiB of float32, which stays in a second-level cache
_BLOCKS_WORTH_THREADS = 256  # below a million weights, starting threads costs more than it saves
_SIXTEEN_BYTES = (
    np.complex128
)  # only a carrier: moves 16 bytes, a row of a plane or four weights, in one piece


@cache
def _four_codes() -> NDArray[np.complex128]:
    """Return the codes of four elements by low byte + 256 · high byte, as float32 quadruples."""
    pair = np.arange(1 << 16, dtype=np.uint32)[:, None]
    shifts = np.array([0, 2, 4, 6], dtype=np.uint32)
    codes = ((pair >> shifts) & 3) + 4 * ((pair >> (8 + shifts)) & 3)
    return codes.astype(np.float32).view(_SIXTEEN_BYTES)[:, 0]


def dequantize(
    scales: NDArray[np.float16],
    zero_points: NDArray[np.int8] | None,
    packed: NDArray[np.uint8],
    shape: tuple[int, int],
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Decode the blocks of a matrix.

    scales: float16 [n]; zero_points: int8 [n], or None for 8 everywhere; packed: uint8 [n, 2048], in block
    order; shape: (rows, cols) with n = ceil(rows / 64) · ceil(cols / 64).
    out: float32 [rows, cols] to fill, contiguous along cols; a new array by default.
    Returns float32 [rows, cols]; codes outside the matrix are ignored (LLQ-PACK-6).
    Raises ValueError where shapes do not agree.
    """
    rows, cols = shape
    down, across = block_grid(rows, cols)
    n = down * across
    if scales.shape != (n,) or packed.shape != (n, BLOCK_BYTES):
        raise ValueError(f"a matrix of shape {shape} has {n} blocks, not {scales.shape} and {packed.shape}")
    if zero_points is not None and zero_points.shape != (n,):
        raise ValueError(f"a matrix of shape {shape} has {n} zero points, not {zero_points.shape}")
    weights = np.empty(shape, np.float32) if out is None else out
    if weights.shape != (rows, cols) or weights.dtype != np.float32:
        raise ValueError(f"out is float32 {list(shape)}, not {weights.dtype} {list(weights.shape)}")
    scale = scales.astype(np.float32)
    zero = (
        np.full(n, ZERO_POINT_SYMMETRIC, np.float32)
        if zero_points is None
        else zero_points.astype(np.float32)
    )
    plane_rows = np.ascontiguousarray(packed).view(_SIXTEEN_BYTES).reshape(n, 2, BLOCK)

    def decode_band(i: int) -> None:
        """Decode block row i, a run of blocks at a time."""
        band = weights[i * BLOCK : (i + 1) * BLOCK]
        for j in range(0, across, _RUN):
            blocks = slice(i * across + j, i * across + min(j + _RUN, across))
            # The rows of the run's blocks side by side: low and high bytes, [64, 16·k] each.
            low, high = np.ascontiguousarray(plane_rows[blocks].transpose(1, 2, 0)).view(np.uint8)
            index = high.astype(np.uint16)
            index <<= 8
            index |= low
            codes = np.take(_four_codes(), index).view(np.float32)  # [64, 64·k]
            codes -= np.repeat(zero[blocks], BLOCK)
            into = band[:, j * BLOCK : (j + _RUN) * BLOCK]
            height, width = into.shape
            np.multiply(codes[:height, :width], np.repeat(scale[blocks], BLOCK)[:width], out=into)

    if n < _BLOCKS_WORTH_THREADS:
        for i in range(down):
            decode_band(i)
    else:
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # NumPy lets go of the interpreter while it computes
            list(pool.map(decode_band, range(down)))
    return weights


def largest_weight(scales: NDArray[np.float16], zero_points: NDArray[np.int8] | None) -> NDArray[np.float64]:
    """Return scale · max(|0 − zero_point|, |15 − zero_point|) of each block, float64 [n] (LLQ-DEQ-2)."""
    zero = np.float64(ZERO_POINT_SYMMETRIC) if zero_points is None else zero_points.astype(np.float64)
    return scales.astype(np.float64) * np.maximum(np.abs(zero), np.abs(15 - zero))
