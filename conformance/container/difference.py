"""The first difference between two decodings of a tensor: the element, its block and the stored values."""

import numpy as np
from numpy.typing import NDArray

from . import decoding
from .package import BLOCK, Tensor

Weights = NDArray[np.float32]


def bits(weights: Weights) -> NDArray[np.uint32]:
    """Return the binary32 patterns of weights."""
    return np.ascontiguousarray(weights).view(np.uint32)


def identical(actual: Weights, expected: Weights) -> bool:
    """Whether two decodings agree bit for bit."""
    return actual.shape == expected.shape and np.array_equal(bits(actual), bits(expected))


def describe(tensor: Tensor, actual: Weights, expected: Weights) -> list[str]:
    """Return the lines that describe the difference."""
    if actual.shape != expected.shape:
        return [
            f"  expected   the shape {list(expected.shape)}",
            f"  got        the shape {list(actual.shape)}",
        ]
    different = (bits(actual) != bits(expected)).reshape(-1)
    element = int(np.flatnonzero(different)[0])
    cols = tensor.shape[1] if len(tensor.shape) == 2 else 1
    row, col = divmod(element, cols)
    lines = [
        f"  differing  {np.count_nonzero(different)} of {different.size} elements",
        f"  first      element {element}: row {row}, column {col}",
        f"  expected   {_number(expected, element)}",
        f"  got        {_number(actual, element)}",
    ]
    return lines + (_stored_values(tensor, row, col) if tensor.quantized else [])


def _number(weights: Weights, element: int) -> str:
    """Return one element in hexadecimal and in decimal."""
    return f"{bits(weights).reshape(-1)[element]:08X}  {weights.reshape(-1)[element]!s}"


def _stored_values(tensor: Tensor, row: int, col: int) -> list[str]:
    """Return the lines that give the location and the stored values of an element of an INT4 tensor."""
    number = 0
    while row >= tensor.parts[number].rows:
        row -= tensor.parts[number].rows
        number += 1
    part = tensor.parts[number]
    (i, r), (j, c) = divmod(row, BLOCK), divmod(col, BLOCK)
    block = i * part.grid[1] + j
    scale = np.float16(decoding.scales(part)[block])
    values = f"code {decoding.codes(part)[block, r, c]}, scale {scale.view(np.uint16):04X} ({scale})"
    of_part = f" of part {number}" if len(tensor.parts) > 1 else ""
    return [
        f"  location   block {block} ({i}, {j}){of_part}, row {r}, column {c} of the block",
        f"  stored     {values}, zero_point {decoding.zero_points(part)[block]}",
    ]
