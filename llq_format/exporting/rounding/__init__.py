"""Rounders: from a matrix and statistics of its inputs to INT4 blocks (informative).

A rounder is a function of the weights, float [rows, cols], and of the Hessian H = Σ x xᵀ of their inputs,
[cols, cols], or None if no input is known. It reduces the error of the products, tr((W − Ŵ) H (W − Ŵ)ᵀ).
`nearest` rounds to nearest. `error_feedback` first chooses the ranges of the blocks. Then it rounds column by
column, and later columns compensate for the error of earlier ones (the method known as GPTQ). Finally it
improves scales and codes alternately.
"""

from llq_format.exporting.rounding.feedback import error_feedback
from llq_format.exporting.rounding.grid import nearest_weighted, squared_errors
from llq_format.exporting.rounding.rounder import Rounder, nearest

__all__ = ["Rounder", "error_feedback", "nearest", "nearest_weighted", "squared_errors"]
