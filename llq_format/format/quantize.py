"""Quantization of weights, block by block (informative: the specification defines only decoding).

A method is a function from a band of blocks to scales, zero points and codes; `METHODS` names them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from llq_format.format.dequantize import LARGEST_WEIGHT, ZERO_POINT_SYMMETRIC, dequantize, largest_weight
from llq_format.format.layout import BLOCK, block_grid
from llq_format.format.packing import pack, unpack

Scheme = Literal["affine", "symmetric"]
SMALLEST_SCALE = np.float16(2.0**-14)  # the smallest normal binary16 (LLQ-DEQ-1)


class QuantizeError(ValueError):
    """A weight is not finite, or so large that no legal scale represents it (LLQ-WRITE-3)."""


@dataclass(frozen=True, slots=True)
class PackedTensor:
    """A matrix of INT4 blocks.

    shape: (rows, cols); scales: float16 [n]; zero_points: int8 [n], or None for 8 everywhere;
    packed: uint8 [n, 2048]; n = ceil(rows / 64) · ceil(cols / 64).
    """

    shape: tuple[int, int]
    scales: NDArray[np.float16]
    zero_points: NDArray[np.int8] | None
    packed: NDArray[np.uint8]

    @property
    def dtype(self) -> Literal["int4_affine", "int4_symmetric"]:
        """The dtype that the metadata states."""
        return "int4_symmetric" if self.zero_points is None else "int4_affine"

    @property
    def codes(self) -> NDArray[np.uint8]:
        """The codes, uint8 [n, 64, 64]."""
        return unpack(self.packed)

    def rows(self, first_row: int, num_rows: int) -> "PackedTensor":
        """Return a run of rows as views; `first_row` is a multiple of 64."""
        across = block_grid(*self.shape)[1]
        first, count = first_row // BLOCK * across, block_grid(num_rows, 1)[0] * across
        blocks = slice(first, first + count)
        zero_points = None if self.zero_points is None else self.zero_points[blocks]
        return PackedTensor((num_rows, self.shape[1]), self.scales[blocks], zero_points, self.packed[blocks])

    def dequantize(self) -> NDArray[np.float32]:
        """Return the weights, float32 [rows, cols], exactly."""
        return dequantize(self.scales, self.zero_points, self.packed, self.shape)


Blocks = NDArray[np.float32]
Quantized = tuple[NDArray[np.float16], NDArray[np.int8] | None, NDArray[np.uint8]]
Method = Callable[[Blocks], Quantized]
"""From blocks float32 [k, 64, 64], zero outside the matrix, to scales float16 [k], zero points int8 [k] or
None, and codes uint8 [k, 64, 64]."""


def _scales(steps: NDArray[np.float64]) -> NDArray[np.float16]:
    """Return the smallest legal scale that is at least each step, float16.

    Rounding upward keeps every weight of the block within half a step of a code.
    """
    with np.errstate(over="ignore"):
        scales = steps.astype(np.float16)
    low = scales.astype(np.float64) < steps
    scales[low] = np.nextafter(scales[low], np.float16(np.inf))
    return np.maximum(scales, SMALLEST_SCALE)


def round_affine(blocks: Blocks) -> Quantized:
    """Round to nearest over each block's range from min to max, made to include 0."""
    wide = blocks.astype(np.float64)
    low = np.minimum(wide.min(axis=(1, 2)), 0.0)
    high = np.maximum(wide.max(axis=(1, 2)), 0.0)
    scales = _scales((high - low) / 15)
    step = scales.astype(np.float64)
    zero_points = np.clip(np.rint(-low / step), 0, 15)
    codes = np.rint(wide / step[:, None, None]) + zero_points[:, None, None]
    return scales, zero_points.astype(np.int8), np.clip(codes, 0, 15).astype(np.uint8)


def round_symmetric(blocks: Blocks) -> Quantized:
    """Round to nearest with zero_point 8: codes 0 to 15 denote −8 to 7 steps."""
    wide = blocks.astype(np.float64)
    scales = _scales(np.maximum(wide.max(axis=(1, 2)) / 7, -wide.min(axis=(1, 2)) / 8))
    codes = np.rint(wide / scales.astype(np.float64)[:, None, None]) + ZERO_POINT_SYMMETRIC
    return scales, None, np.clip(codes, 0, 15).astype(np.uint8)


METHODS: Mapping[str, Mapping[Scheme, Method]] = {
    "rtn": {"affine": round_affine, "symmetric": round_symmetric},
}
"""Methods by name and scheme; `rtn` is rounding to nearest."""


def quantize(
    weights: NDArray[np.floating], scheme: Scheme = "affine", method: Method | None = None
) -> PackedTensor:
    """Quantize a matrix in 64 × 64 blocks.

    weights: float16, float32 or float64 [rows, cols], any memory order. One band of 64 rows is processed at a
    time, so additional memory is small.
    method: how a band is quantized; rounding to nearest in the scheme by default.
    Returns a PackedTensor that satisfies LLQ-DEQ-1, LLQ-DEQ-2 and LLQ-PACK-1.
    Raises TypeError for another dtype, ValueError for another shape, QuantizeError for a weight that is not
    finite or that no legal scale represents.
    """
    if weights.dtype.kind != "f" or weights.dtype.itemsize > 8:
        raise TypeError(f"weights must be float16, float32 or float64, not {weights.dtype}")
    if weights.ndim != 2 or 0 in weights.shape:
        raise ValueError(f"weights must have shape [rows, cols], not {list(weights.shape)}")
    rounding = METHODS["rtn"][scheme] if method is None else method
    rows, cols = weights.shape
    down, across = block_grid(rows, cols)
    bands = []
    for i in range(down):
        band = weights[i * BLOCK : (i + 1) * BLOCK]
        _check_finite(band, i * BLOCK)
        padded = np.zeros((BLOCK, across * BLOCK), np.float32)
        padded[: len(band), :cols] = band
        blocks = padded.reshape(BLOCK, across, BLOCK).transpose(1, 0, 2)
        scales, zero_points, codes = rounding(blocks)
        _check_range(scales, zero_points, i)
        bands.append((scales, zero_points, pack(_zero_outside(codes, len(band), cols))))
    zeros = [z for _, z, _ in bands if z is not None]
    return PackedTensor(
        (rows, cols),
        np.concatenate([s for s, _, _ in bands]),
        np.concatenate(zeros) if zeros else None,
        np.concatenate([p for _, _, p in bands]),
    )


def _check_finite(band: NDArray[np.floating], first_row: int) -> None:
    with np.errstate(over="ignore"):
        finite = np.isfinite(band.astype(np.float32))
    if not finite.all():
        row, col = np.argwhere(~finite)[0]
        raise QuantizeError(
            f"the weight at row {first_row + row}, column {col} is {band[row, col]}, not finite in binary32"
        )


def _check_range(scales: NDArray[np.float16], zero_points: NDArray[np.int8] | None, i: int) -> None:
    excess = np.flatnonzero(~(largest_weight(scales, zero_points) <= LARGEST_WEIGHT))
    if excess.size:
        raise QuantizeError(
            f"the block at block row {i}, block column {excess[0]} holds weights too large for 4-bit codes: "
            f"scale · |q − zero_point| would be above {LARGEST_WEIGHT:.0f}"
        )


def _zero_outside(codes: NDArray[np.uint8], height: int, cols: int) -> NDArray[np.uint8]:
    """Set the codes outside the matrix to 0 (LLQ-PACK-1), in place."""
    codes[:, height:, :] = 0
    codes[-1, :, cols - (len(codes) - 1) * BLOCK :] = 0
    return codes
