"""A scale and a zero_point for every block, from the range with the smallest weighted error."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from llq_format.exporting.rounding.rounder import Hessian, Weights
from llq_format.format.dequantize import LARGEST_WEIGHT, ZERO_POINT_SYMMETRIC
from llq_format.format.layout import BLOCK, block_grid
from llq_format.format.packing import pack
from llq_format.format.quantize import METHODS, SMALLEST_SCALE, PackedTensor, Scheme, quantize

Floats = NDArray[np.float32]
_SHRINKS = np.linspace(1.0, 0.4, 25)  # a wider range than the block's own never helps
_FEW_SHRINKS = np.array([1.0, 0.85, 0.7, 0.55])


@dataclass(frozen=True)
class Grid:
    """Scales and zero points of a matrix, float32 [down, across]: binary16 and integers by value."""

    scheme: Scheme
    scales: Floats
    zero_points: Floats

    def spread(self, cols: int, values: Floats) -> Floats:
        """Return values [down, across] for every column and block row, [cols, down]."""
        return np.repeat(values.T, BLOCK, axis=0)[:cols]


def blocks_of(weights: Floats) -> Floats:
    """Return the blocks of a matrix, float32 [down, across, 64, 64], zero outside of it."""
    down, across = block_grid(*weights.shape)
    padded = np.zeros((down * BLOCK, across * BLOCK), np.float32)
    padded[: weights.shape[0], : weights.shape[1]] = weights
    return padded.reshape(down, BLOCK, across, BLOCK).transpose(0, 2, 1, 3)


def search(
    weights: Weights,
    column_weights: NDArray[np.float64] | None,
    scheme: Scheme,
    shrinks: NDArray[np.float64] = _SHRINKS,
) -> Grid:
    """Return the grid with the smallest sum of squared errors, each multiplied by the weight of its column.

    weights: float32 [rows, cols]; column_weights: [cols], not negative; without them ranges are not narrowed.
    shrinks: the widths that are tried, as shares of a block's own range.
    Raises QuantizeError as `quantize` does.
    """
    start = quantize(weights, method=METHODS["rtn"][scheme])  # refuses what no grid represents
    down, across = block_grid(*weights.shape)
    scales = start.scales.astype(np.float32).reshape(down, across)
    zeros = np.full((down, across), ZERO_POINT_SYMMETRIC, np.float32)
    if start.zero_points is not None:
        zeros = start.zero_points.astype(np.float32).reshape(down, across)
    grid = Grid(scheme, scales, zeros)
    if column_weights is None:
        return grid
    padded = np.zeros(across * BLOCK, np.float32)
    padded[: weights.shape[1]] = column_weights / max(column_weights.max(), np.finfo(np.float64).tiny)
    rows = [
        _search_band(Grid(scheme, scales[i], zeros[i]), band, padded.reshape(across, BLOCK), shrinks)
        for i, band in enumerate(blocks_of(weights))
    ]
    return replace(
        grid,
        scales=np.stack([row.scales for row in rows]),
        zero_points=np.stack([row.zero_points for row in rows]),
    )


def _search_band(widest: Grid, band: Floats, column_weights: Floats, shrinks: NDArray[np.float64]) -> Grid:
    """Return the best grid [across] of a band [across, 64, 64]: first its width, then its position."""
    best = _Best(widest, band, column_weights)
    for shrink in shrinks:
        scales = legal_scales(widest.scales * np.float32(shrink))
        zeros = widest.zero_points
        if widest.scheme == "affine":  # the middle of the range stays where it is
            zeros = np.rint(7.5 + (widest.zero_points - 7.5) * (widest.scales / scales))
        best.offer(scales, np.clip(zeros, -128, 127))
    if widest.scheme == "affine":
        for step in (-1, 1):
            best.offer(best.scales, np.clip(best.zero_points + np.float32(step), -128, 127))
    for factor in (0.985, 1.015):
        best.offer(legal_scales(best.scales * np.float32(factor)), best.zero_points)
    return Grid(widest.scheme, best.scales, best.zero_points)


class _Best:
    """The best grid so far of a band of blocks."""

    def __init__(self, start: Grid, band: Floats, column_weights: Floats) -> None:
        self._band, self._weights = band, column_weights
        self.scales, self.zero_points = start.scales, start.zero_points
        self._errors = self._error(self.scales, self.zero_points)

    def offer(self, scales: Floats, zero_points: Floats) -> None:
        """Replace the grid of each block for which another one is better and legal."""
        errors = self._error(scales, zero_points)
        better = (errors < self._errors) & _in_range(scales, zero_points)
        self.scales = np.where(better, scales, self.scales)
        self.zero_points = np.where(better, zero_points, self.zero_points)
        self._errors = np.where(better, errors, self._errors)

    def _error(self, scales: Floats, zero_points: Floats) -> Floats:
        s, z = scales[:, None, None], zero_points[:, None, None]
        codes = np.rint(self._band / s)
        np.clip(codes, -z, 15 - z, out=codes)
        codes *= s
        codes -= self._band
        return np.asarray(np.einsum("brc,brc,bc->b", codes, codes, self._weights))


def legal_scales(scales: Floats) -> Floats:
    """Return the nearest positive normal binary16 of each scale, as float32 (LLQ-DEQ-1)."""
    return np.maximum(scales.astype(np.float16), SMALLEST_SCALE).astype(np.float32)


def _in_range(scales: Floats, zero_points: Floats) -> NDArray[np.bool_]:
    """Return for which blocks the largest weight is within binary16's range (LLQ-DEQ-2)."""
    return np.asarray(scales * np.maximum(np.abs(zero_points), np.abs(15 - zero_points)) <= LARGEST_WEIGHT)


def packed_tensor(grid: Grid, codes: Floats) -> PackedTensor:
    """Return codes, integers 0 to 15 [rows, cols], on their grid as a PackedTensor."""
    blocks = blocks_of(codes).astype(np.uint8).reshape(-1, BLOCK, BLOCK)
    zero_points = grid.zero_points.astype(np.int8).ravel() if grid.scheme == "affine" else None
    shape = (codes.shape[0], codes.shape[1])
    return PackedTensor(shape, grid.scales.astype(np.float16).ravel(), zero_points, pack(blocks))


def nearest_weighted(weights: Weights, hessian: Hessian | None, scheme: Scheme) -> PackedTensor:
    """Round to nearest in the range with the smallest error; the Hessian's diagonal weights the columns."""
    column_weights = np.ones(weights.shape[1]) if hessian is None else np.diag(hessian)
    grid = search(weights, column_weights, scheme)
    return packed_tensor(grid, _nearest_codes(weights, grid)[0])


def squared_errors(
    weights: Weights, column_weights: NDArray[np.float64], scheme: Scheme
) -> NDArray[np.float64]:
    """Return an estimate of the error of `nearest_weighted` for each row, [rows], from a coarse search."""
    grid = search(weights, column_weights, scheme, _FEW_SHRINKS)
    codes, scales, zeros = _nearest_codes(weights, grid)
    errors = np.square((codes - zeros) * scales - weights)
    return np.asarray(errors @ column_weights)


def _nearest_codes(weights: Weights, grid: Grid) -> tuple[Floats, Floats, Floats]:
    """Return the nearest codes, and the scale and zero point of each, all float32 [rows, cols]."""
    rows, cols = weights.shape
    scales, zeros = (
        np.repeat(grid.spread(cols, values).T, BLOCK, axis=0)[:rows]
        for values in (grid.scales, grid.zero_points)
    )
    return np.clip(np.rint(weights / scales) + zeros, 0, 15), scales, zeros
