"""Coordinate descent on tr((W − Ŵ) H (W − Ŵ)ᵀ): the scales of blocks, then the codes, column by column."""

import numpy as np

from llq_format.exporting.rounding.grid import Floats, Grid, legal_scales
from llq_format.format.dequantize import LARGEST_WEIGHT
from llq_format.format.layout import BLOCK


class Fit:
    """Codes on a grid, and their error; no step of `improve` increases the error.

    Arrays are [cols, rows], the transpose of the matrix; H is scaled to a mean diagonal of 1.
    """

    def __init__(self, weights: Floats, curvature: Floats, grid: Grid, codes: Floats) -> None:
        self.scales = grid.scales
        self.codes = codes
        self._h = curvature
        self._cols, self._rows = weights.shape
        self._zeros = grid.zero_points
        self._error = weights - self._decoded()

    def improve(self) -> None:
        """Go once over all block columns: refit the scales of each, then its codes."""
        for j, first in enumerate(range(0, self._cols, BLOCK)):
            columns = slice(first, min(first + BLOCK, self._cols))
            gradient = self._h[columns] @ self._error  # of −½ the objective, [64, rows]
            self._refit_scales(j, columns, gradient)
            self._improve_codes(j, columns, gradient)

    def loss(self) -> float:
        """Return the objective."""
        return float(np.einsum("cr,cr->", self._error, self._h @ self._error, dtype=np.float64))

    def _refit_scales(self, j: int, columns: slice, gradient: Floats) -> None:
        """Set the scale of each block of a block column to the best value, rounded to binary16."""
        steps = self.codes[columns] - self._of_rows(self._zeros[:, j])  # [64, rows]
        h = self._h[columns, columns]
        curved = h @ steps
        starts = np.arange(0, self._rows, BLOCK)
        slope = np.add.reduceat((gradient * steps).sum(axis=0, dtype=np.float64), starts)
        curve = np.add.reduceat((curved * steps).sum(axis=0, dtype=np.float64), starts)
        change = np.divide(slope, curve, out=np.zeros_like(slope), where=curve > 0)
        new = legal_scales(np.asarray(self.scales[:, j] + change, np.float32))
        # Rounding may overshoot: a scale is taken only where the quadratic says that it is better.
        moved = (new - self.scales[:, j]).astype(np.float64)
        widest = np.maximum(np.abs(self._zeros[:, j]), np.abs(15 - self._zeros[:, j]))
        better = (moved * (2 * slope - moved * curve) > 0) & (new * widest <= LARGEST_WEIGHT)
        steps_taken: Floats = np.where(better, moved, 0).astype(np.float32)
        self.scales = self.scales.copy()
        self.scales[:, j] += steps_taken
        shift = self._of_rows(steps_taken)
        self._error[columns] -= shift * steps
        gradient -= shift * curved

    def _improve_codes(self, j: int, columns: slice, gradient: Floats) -> None:
        """Set each code of a block column to the best code, column by column, while other codes stay."""
        scale = self._of_rows(self.scales[:, j])
        h = self._h[columns, columns]
        for c, column in enumerate(range(columns.start, columns.stop)):
            old = self.codes[column]
            new = np.rint(old + gradient[c] / (h[c, c] * scale))
            np.clip(new, 0, 15, out=new)
            moved = (new - old) * scale
            if not moved.any():
                continue
            self.codes[column] = new
            self._error[column] -= moved
            gradient -= h[:, c, None] * moved

    def _of_rows(self, values: Floats) -> Floats:
        """Return values of block rows for every row."""
        return np.repeat(values, BLOCK)[: self._rows]

    def _decoded(self) -> Floats:
        decoded = np.empty((self._cols, self._rows), np.float32)
        for j, first in enumerate(range(0, self._cols, BLOCK)):
            steps = self.codes[first : first + BLOCK] - self._of_rows(self._zeros[:, j])
            decoded[first : first + BLOCK] = self._of_rows(self.scales[:, j]) * steps
        return decoded
