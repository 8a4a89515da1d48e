"""Rounding with error feedback (GPTQ); afterwards scales and codes are improved alternately.

Arrays are transposed here, [cols, rows], so that a column of the matrix is contiguous.
"""

from dataclasses import replace

import numpy as np

from llq_format.exporting.rounding.descent import Fit
from llq_format.exporting.rounding.grid import Floats, Grid, packed_tensor, search
from llq_format.exporting.rounding.rounder import Hessian, Weights
from llq_format.format.layout import BLOCK
from llq_format.format.quantize import PackedTensor, Scheme

DAMPING = 0.01
"""Share of the Hessian's mean diagonal that is added to the diagonal, for inputs not in the calibration."""


def damped(hessian: Hessian, damping: float = DAMPING) -> Hessian:
    """Return the Hessian with `damping` times the mean of its diagonal added to the diagonal.

    An input that is always zero gets the mean as its weight, so that the result is positive definite.
    """
    mean = float(np.mean(np.diag(hessian)))
    return hessian + np.eye(len(hessian)) * (damping * mean if mean > 0 else 1.0)


def error_feedback(
    weights: Weights, hessian: Hessian | None, scheme: Scheme, *, rounds: int = 4
) -> PackedTensor:
    """Round with error feedback, which keeps the error of the products small.

    weights: float32 [rows, cols]; hessian: float64 [cols, cols], or None if all inputs count equally.
    rounds: how often scales are refitted and codes improved after the feedback; 0 is plain GPTQ.
    Raises QuantizeError for weights that no grid represents.
    """
    rows, cols = weights.shape
    curvature = damped(np.eye(cols) if hessian is None else hessian)
    grid = search(weights, np.diag(curvature), scheme)
    codes = _feed_forward(weights, grid, curvature)
    if rounds:
        scale = float(np.mean(np.diag(curvature)))
        fit = Fit(np.ascontiguousarray(weights.T), (curvature / scale).astype(np.float32), grid, codes)
        for _ in range(rounds):
            fit.improve()
        grid, codes = replace(grid, scales=fit.scales), fit.codes
    return packed_tensor(grid, codes.T[:rows])


def _feed_forward(matrix: Weights, grid: Grid, curvature: Hessian) -> Floats:
    """Return the codes, float32 [cols, rows].

    Columns are rounded in descending order of the diagonal, because few columns remain that can compensate
    for the error of a late one.
    """
    rows, cols = matrix.shape
    order = np.argsort(-np.diag(curvature), kind="stable")
    # Upper factor of the inverse: row c tells how later columns make up for the error of column c.
    factor = np.linalg.cholesky(np.linalg.inv(curvature[np.ix_(order, order)])).T
    feedback = np.ascontiguousarray(factor, np.float32)
    weights = np.ascontiguousarray(matrix.T[order])
    scales, zeros = grid.spread(cols, grid.scales)[order], grid.spread(cols, grid.zero_points)[order]
    codes = np.empty_like(weights)
    for first in range(0, cols, BLOCK):
        last = min(first + BLOCK, cols)
        errors = np.empty((last - first, rows), np.float32)
        for c in range(first, last):
            s, z = np.repeat(scales[c], BLOCK)[:rows], np.repeat(zeros[c], BLOCK)[:rows]
            code = np.clip(np.rint(weights[c] / s) + z, 0, 15)
            error = (weights[c] - (code - z) * s) / feedback[c, c]
            codes[order[c]], errors[c - first] = code, error
            weights[c + 1 : last] -= feedback[c, c + 1 : last, None] * error
        weights[last:] -= feedback[first:last, last:].T @ errors
    return codes
