"""Products of a stored matrix and rounded vectors in binary64, and their error bounds (NUM-15)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..container import decoding
from ..container.package import BLOCK, Part, Tensor
from ..core.runtime import Format

U = 2.0**-24
"""The unit roundoff of binary32."""

SMALLEST_NORMAL_16, LARGEST_16 = 2.0**-14, 65504.0
DISTANCE = 2.0**-11
"""Minimum distance of an INT8 input from a rounding boundary; the guard band is 2^-13 wide."""

Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Products:
    """Vectors, float32 [n, cols], their products with a matrix and the error bounds, float64 [n, rows]."""

    x: NDArray[np.float32]
    expected: Reals
    bound: Reals


def random_products(tensor: Tensor, form: Format, random: np.random.Generator, count: int = 2) -> Products:
    """Return the products of a matrix and some random vectors, which every legal rounding rounds alike."""
    x = random.uniform(-4, 4, (count, tensor.shape[1])).astype(np.float32)
    if form == "int8":
        x = np.stack([_clear_of_boundaries(row) for row in x])
    return products(tensor, form, x)


def products(tensor: Tensor, form: Format, x: NDArray[np.float32]) -> Products:
    """Return the products of a matrix and vectors, float32 [n, cols], none near a rounding boundary."""
    parts = [_of_part(part, form, x.astype(np.float64)) for part in tensor.parts]
    expected, bound = (np.concatenate(arrays, axis=1) for arrays in zip(*parts, strict=True))
    return Products(x, expected, bound)


def _clear_of_boundaries(row: NDArray[np.float32]) -> NDArray[np.float32]:
    """Move elements that are near a rounding boundary of INT8 to the middle of their step."""
    step = np.abs(row).max() / np.float32(127)
    exact = row.astype(np.float64) / np.float64(step)
    near = np.abs(np.abs(exact - np.floor(exact)) - 0.5) < DISTANCE
    return np.where(near, (np.floor(exact) * step).astype(np.float32), row)


def _of_part(part: Part, form: Format, x: Reals) -> tuple[Reals, Reals]:
    """Return products and bounds of the rows of one part, float64 [n, rows]."""
    scales, zero_points = decoding.scales(part), decoding.zero_points(part).astype(np.float64)
    codes = decoding.codes(part).astype(np.float64)
    if form == "binary16":
        return _binary16(part, codes, scales, zero_points, x)
    differences = (codes - zero_points[:, None, None]).reshape(*part.grid, BLOCK, BLOCK)
    return _int8(part, differences, scales.reshape(part.grid), x)


def _binary16(part: Part, codes: Reals, scales: Reals, zero_points: Reals, x: Reals) -> tuple[Reals, Reals]:
    inputs = np.clip(x, -LARGEST_16, LARGEST_16).astype(np.float16).astype(np.float64)
    weights = decoding.assemble(part, scales[:, None, None] * (codes - zero_points[:, None, None]))
    counted = decoding.assemble(part, scales[:, None, None] * (codes + np.abs(zero_points)[:, None, None]))
    sizes = np.abs(inputs)
    gamma = (part.cols + 8) * U / (1 - (part.cols + 8) * U)
    flushed = np.where(sizes < SMALLEST_NORMAL_16, sizes, 0)
    return inputs @ weights.T, gamma * (sizes @ counted.T) + flushed @ np.abs(weights).T


def _int8(part: Part, differences: Reals, scales: Reals, x: Reals) -> tuple[Reals, Reals]:
    """Return products of INT8 inputs. differences: float64 [down, across, 64, 64]; scales: [down, across]."""
    across = differences.shape[1]
    steps = np.abs(x).max(axis=1) / 127
    codes = np.zeros((len(x), across * BLOCK))
    with np.errstate(invalid="ignore", divide="ignore"):
        codes[:, : part.cols] = np.nan_to_num(np.rint(x / steps[:, None]))
    dots = np.einsum("ijrc,njc->nijr", differences, codes.reshape(len(x), across, BLOCK))  # exact integers
    terms = dots * scales[None, :, :, None]
    gamma = (2.0**-21 + (across + 4) * U) / (1 - (across + 4) * U)
    rows = slice(part.rows)
    y: Any = terms.sum(axis=2).reshape(len(x), -1)[:, rows] * steps[:, None]
    bound: Any = gamma * np.abs(terms).sum(axis=2).reshape(len(x), -1)[:, rows] * steps[:, None]
    return y, bound
