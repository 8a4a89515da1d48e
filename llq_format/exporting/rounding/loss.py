"""How much rounding changes the matrices of a model."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from llq_format.exporting.checkpoint.warnings import ExportWarning, warning
from llq_format.format.quantize import PackedTensor

ROWS = 1024
"""Rows that are compared at once, a multiple of 64, which bounds the memory."""

NOTICEABLE = 0.05
"""Relative change above which an export has a warning; Gaussian weights change by 0.15."""


class RoundingLoss:
    """The change of all matrices, relative to their root mean square."""

    def __init__(self) -> None:
        """Start without matrices."""
        self._change = 0.0
        self._weights = 0.0

    def add(self, weights: NDArray[np.float32], packed: PackedTensor) -> None:
        """Add a matrix and its quantized form."""
        for first in range(0, len(weights), ROWS):
            band = weights[first : first + ROWS]
            rounded = packed.rows(first, len(band)).dequantize()
            rounded -= band
            self._change += _squares(rounded)
            self._weights += _squares(band)

    @property
    def relative(self) -> float:
        """The root of the squared changes over the squared weights; 0 without weights."""
        return float(np.sqrt(self._change / self._weights)) if self._weights > 0 else 0.0

    def warnings(self) -> Iterator[ExportWarning]:
        """Yield a warning if the change is noticeable."""
        if self.relative > NOTICEABLE:
            yield warning("rounding-loss", percent=round(100 * self.relative, 1))


def _squares(band: NDArray[np.float32]) -> float:
    return float(np.einsum("ij,ij->", band, band, dtype=np.float64, casting="safe"))
