"""Exact dequantization of codes: scale · (q − zero_point) (spec: Dequantization).

The product is exact in binary32, so every order of evaluation gives the same bits. A byte of each plane holds
the same four elements, so the two bytes together index a table of four codes: one look-up decodes four.
"""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llq_format.format.layout import BLOCK, BLOCK_BYTES, block_grid

ZERO_POINT_SYMMETRIC = 8
LARGEST_WEIGHT = 65504.0  # the largest binary16 value (LLQ-DEQ-2)
_RUN = 64  # blocks decoded at a time: a MiB of float32, the size of a second-level cache
_BLOCKS_WORTH_THREADS = 256  # below a million weights, starting threads costs more than it saves
# Only a carrier: it moves 16 bytes, a row of a plane or four weights, in one piece.
_SIXTEEN_BYTES = np.complex128


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
    Raises TypeError for other dtypes, ValueError where shapes do not agree.
    """
    check_blocks(scales, zero_points, packed, shape)
    rows, cols = shape
    down, across = block_grid(rows, cols)
    n = down * across
    weights = np.empty(shape, np.float32) if out is None else out
    if weights.shape != (rows, cols) or weights.dtype != np.float32:
        raise ValueError(f"out must be float32 {list(shape)}, not {weights.dtype} {list(weights.shape)}")
    blocks = _Blocks(
        scales.astype(np.float32),
        np.full(n, ZERO_POINT_SYMMETRIC, np.float32)
        if zero_points is None
        else zero_points.astype(np.float32),
        np.ascontiguousarray(packed).view(_SIXTEEN_BYTES).reshape(n, 2, BLOCK),
        across,
    )
    workers = 1 if n < _BLOCKS_WORTH_THREADS else min(down, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool:  # NumPy releases the interpreter lock while it computes
        list(pool.map(lambda first: _decode(blocks, weights, range(first, down, workers)), range(workers)))
    return weights


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Blocks in order: scale and zero_point float32 [n], rows of planes [n, 2, 64]; `across` in a band."""

    scale: NDArray[np.float32]
    zero_point: NDArray[np.float32]
    plane_rows: NDArray[np.complex128]
    across: int


def _decode(blocks: _Blocks, weights: NDArray[np.float32], bands: range) -> None:
    """Decode bands of 64 rows, one run of blocks at a time, in buffers that are allocated once."""
    run = min(_RUN, blocks.across)
    planes = np.empty(2 * BLOCK * run, _SIXTEEN_BYTES)
    pairs = np.empty(BLOCK * 16 * run, np.uint16)
    index = np.empty(pairs.shape, np.intp)
    quads = np.empty(pairs.shape, _SIXTEEN_BYTES)
    for i in bands:
        band = weights[i * BLOCK : (i + 1) * BLOCK]
        for j in range(0, blocks.across, run):
            k = min(run, blocks.across - j)
            run_blocks = slice(i * blocks.across + j, i * blocks.across + j + k)
            # The rows of the run's blocks side by side, low and high bytes: [64, 16·k] each.
            plane_rows = planes[: 2 * BLOCK * k].reshape(2, BLOCK, k)
            np.copyto(plane_rows, blocks.plane_rows[run_blocks].transpose(1, 2, 0))
            low, high = plane_rows.view(np.uint8).reshape(2, -1)
            pair, indices, four = pairs[: len(low)], index[: len(low)], quads[: len(low)]
            np.copyto(pair, high)
            np.left_shift(pair, 8, out=pair)
            np.bitwise_or(pair, low, out=pair)
            np.copyto(indices, pair)
            np.take(_four_codes(), indices, out=four, mode="wrap")  # none wraps; with `raise` take would copy
            codes = four.view(np.float32).reshape(BLOCK, k * BLOCK)
            codes -= np.repeat(blocks.zero_point[run_blocks], BLOCK)
            into = band[:, j * BLOCK : (j + k) * BLOCK]
            height, width = into.shape
            np.multiply(codes[:height, :width], np.repeat(blocks.scale[run_blocks], BLOCK)[:width], out=into)


def check_blocks(
    scales: NDArray[np.float16],
    zero_points: NDArray[np.int8] | None,
    packed: NDArray[np.uint8],
    shape: tuple[int, int],
) -> None:
    """Raise TypeError or ValueError unless types and shapes are right; any byte order is accepted."""
    n = math.prod(block_grid(*shape))
    arrays: list[tuple[str, NDArray[Any], type, tuple[int, ...]]]
    arrays = [("scales", scales, np.float16, (n,)), ("packed", packed, np.uint8, (n, BLOCK_BYTES))]
    if zero_points is not None:
        arrays.append(("zero_points", zero_points, np.int8, (n,)))
    for name, array, dtype, expected in arrays:
        if array.dtype.newbyteorder("=") != dtype:
            raise TypeError(f"{name} must be an array of {np.dtype(dtype)}, not of {array.dtype}")
        if array.shape != expected:
            raise ValueError(
                f"{name} of a matrix of shape {list(shape)} must have shape {list(expected)}, "
                f"not {list(array.shape)}"
            )


def largest_weight(scales: NDArray[np.float16], zero_points: NDArray[np.int8] | None) -> NDArray[np.float64]:
    """Return scale · max(|0 − zero_point|, |15 − zero_point|) of each block, float64 [n] (LLQ-DEQ-2)."""
    zero = np.float64(ZERO_POINT_SYMMETRIC) if zero_points is None else zero_points.astype(np.float64)
    return scales.astype(np.float64) * np.maximum(np.abs(zero), np.abs(15 - zero))
