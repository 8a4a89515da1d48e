"""Rounders: from a matrix, and what is known of its inputs, to INT4 blocks (only decoding is normative).

A rounder is a function of the weights, float [rows, cols], and of the Hessian H = Σ x xᵀ of their inputs,
[cols, cols], or None where no input is known. What it makes small is the error of the products:
tr((W − Ŵ) H (W − Ŵ)ᵀ). Here are `nearest`, and `error_feedback`, which fixes the blocks' ranges
first, then rounds a column at a time while later columns make up for the error of earlier ones (the method
known as GPTQ), and at last improves scales and codes by turns.
"""

from llq_format.exporting.rounding.feedback import error_feedback
from llq_format.exporting.rounding.grid import nearest_weighted, squared_errors
from llq_format.exporting.rounding.rounder import Rounder, nearest

__all__ = ["Rounder", "error_feedback", "nearest", "nearest_weighted", "squared_errors"]
