"""Checks of weights against the checkpoint: they are near its weights, or rounded to nearest."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...container import decoding
from ...container.package import BLOCK, Tensor, read_tensor
from ...core.check import Failure
from ...core.vectors import Vector
from ..session import Session, decoded, description
from .arrangement import originals
from .content import SAME
from .failure_text import failure

Reals = NDArray[np.float64]

LEAST_COSINE = 0.9
"""Minimum cosine between a row and its original: rounding to 4 bits yields 0.98, a different row about 0."""

LEAST_STEPS = 4.0
"""Minimum magnitude of a row whose direction is checked, in steps of its blocks."""

GREATEST_BIAS = 0.35
"""Maximum mean error of a block, in steps: rounding yields about 0, a wrong zero_point 1."""

LEAST_ELEMENTS = 256
"""Minimum number of elements of a block whose mean error is checked."""


SCALE = 2.0**-11 + 2.0**-20
"""Relative tolerance of a weight, as codes may be chosen before the scale is rounded to binary16."""


@dataclass(frozen=True)
class Matrix:
    """An INT4 tensor and its original: weights and steps of the elements, float64 [rows, cols]."""

    name: str
    actual: Reals
    expected: Reals
    steps: Reals

    @property
    def errors(self) -> Reals:
        """The error of each element in steps."""
        errors: Reals = (self.actual - self.expected) / self.steps
        return errors


def weights(session: Session, vector: Vector, _checkpoint: Path) -> Failure | None:
    """Expect every row of every tensor near its original, and no block with a mean error."""
    package = session.valid(vector)
    expected = originals(vector, description(package))
    for name, actual in decoded(package).items():
        if name == "rope.inv_freq":
            continue
        if lines := _raw(read_tensor(package, name), actual, expected[name]):
            return failure("weights", vector, SAME, lines[0], [f"tensor     {name}", *lines[1:]])
    for matrix in _matrices(package, expected):
        if lines := _far(matrix) or _shifted(matrix):
            return failure("weights", vector, SAME, lines[0], [f"tensor     {matrix.name}", *lines[1:]])
    return None


def rounding(session: Session, vector: Vector, _checkpoint: Path) -> Failure | None:
    """Expect every weight of an INT4 tensor within half a step of its original."""
    package = session.valid(vector)
    expected = originals(vector, description(package))
    for matrix in _matrices(package, expected):
        tolerance = 0.5 + SCALE * (np.abs(matrix.expected) / matrix.steps + 0.5)
        outside = ~(np.abs(matrix.errors) <= tolerance)
        if outside.any():
            row, col = (int(index) for index in np.argwhere(outside)[0])
            headline = "the error of a weight is more than half a step"
            lines = [
                f"tensor     {matrix.name}, row {row}, column {col}, of {int(outside.sum())} such weights",
                f"expected   {matrix.expected[row, col]:.9g}",
                f"got        {matrix.actual[row, col]:.9g}, {matrix.errors[row, col]:+.3f} steps away",
                "hint       if the exporter does not round to nearest, use --exporter-claims=weights",
            ]
            return failure("rounding", vector, SAME, headline, lines)
    return None


def _raw(tensor: Tensor, actual: NDArray[np.float32], expected: Reals) -> list[str]:
    """Return lines about a raw tensor that is not its original, rounded to its dtype."""
    if tensor.quantized:
        return []
    unit = 2.0**-11 if tensor.dtype == "f16" else 2.0**-24
    least = 2.0**-25 if tensor.dtype == "f16" else 2.0**-150  # half of the least subnormal
    off = ~(np.abs(actual - expected) <= unit * np.abs(expected) * (1 + 2.0**-20) + least)
    if not off.any():
        return []
    at = tuple(int(index) for index in np.argwhere(off)[0])
    return [
        "a raw tensor differs from the checkpoint",
        f"first      element {list(at)}, of {int(off.sum())} that differ",
        f"expected   {expected[at]:.9g}",
        f"got        {actual[at]:.9g}",
    ]


def _matrices(package: Path, expected: dict[str, Reals]) -> Iterator[Matrix]:
    for name, actual in decoded(package).items():
        tensor = read_tensor(package, name)
        if tensor.quantized:
            yield Matrix(name, actual.astype(np.float64), expected[name], _steps(tensor))


def _steps(tensor: Tensor) -> Reals:
    """Return the scale of the block of each element, float64 [rows, cols]."""
    parts = []
    for part in tensor.parts:
        grid = decoding.scales(part).reshape(part.grid)
        parts.append(np.repeat(np.repeat(grid, BLOCK, 0), BLOCK, 1)[: part.rows, : part.cols])
    return np.concatenate(parts)


def _far(matrix: Matrix) -> list[str]:
    """Return lines about a row whose direction differs from its original."""
    size = np.sqrt(((matrix.expected / matrix.steps) ** 2).sum(1))
    norms = np.linalg.norm(matrix.actual, axis=1) * np.linalg.norm(matrix.expected, axis=1)
    cosines = (matrix.actual * matrix.expected).sum(1) / np.maximum(norms, np.finfo(np.float64).tiny)
    far = np.flatnonzero((size >= LEAST_STEPS) & ~(cosines >= LEAST_COSINE))
    if not far.size:
        return []
    row = int(far[0])
    return [
        "a row of a matrix differs from the checkpoint",
        f"first      row {row}, of {far.size} such rows of {len(cosines)}",
        f"cosine     {cosines[row]:.3f} with the checkpoint's row; expected at least {LEAST_COSINE}",
        *_resembles(matrix, row),
    ]


def _resembles(matrix: Matrix, row: int) -> list[str]:
    """Return a line about the row of the original that this row resembles, if there is one."""
    lengths = np.linalg.norm(matrix.expected, axis=1) * np.linalg.norm(matrix.actual[row])
    cosines = matrix.expected @ matrix.actual[row] / np.maximum(lengths, np.finfo(np.float64).tiny)
    best = int(np.argmax(cosines))
    return [f"resembles  row {best} of the checkpoint's tensor"] if cosines[best] >= LEAST_COSINE else []


def _shifted(matrix: Matrix) -> list[str]:
    """Return lines about a block whose mean error is too large."""
    rows, cols = matrix.errors.shape
    for i in range(0, rows, BLOCK):
        for j in range(0, cols, BLOCK):
            block = matrix.errors[i : i + BLOCK, j : j + BLOCK]
            if block.size >= LEAST_ELEMENTS and not abs(block.mean()) <= GREATEST_BIAS:
                place = f"block ({i // BLOCK}, {j // BLOCK})"
                return [
                    "all weights of a block are shifted",
                    f"first      {place}, mean error {block.mean():+.3f} steps; at most {GREATEST_BIAS}",
                ]
    return []
