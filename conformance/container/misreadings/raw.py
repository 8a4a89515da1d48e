"""Misreadings of raw tensors, `Part` → matrix, and of tensors in several parts, matrices → tensor."""

from collections.abc import Callable, Sequence

import numpy as np

from .. import decoding
from ..decoding import Reals
from ..package import Part
from .scales import bfloat16


def _big_endian(part: Part) -> Reals:
    return decoding.raw_values(part, ">f2" if part.dtype == "f16" else ">f4").astype(np.float64)


def _bfloat16_values(part: Part) -> Reals:
    return bfloat16(decoding.raw_values(part, "<u2")) if part.dtype == "f16" else decoding.raw(part)


def _flushed(dtype: str) -> Callable[[Part], Reals]:
    """Return a reading that takes subnormals of this dtype for zero."""
    smallest = float(np.finfo(np.float16 if dtype == "f16" else np.float32).tiny)

    def values(part: Part) -> Reals:
        matrix = decoding.raw(part)
        return np.where(np.abs(matrix) < smallest, 0.0, matrix) if part.dtype == dtype else matrix

    return values


def _rounded(part: Part) -> Reals:
    return decoding.raw(part).astype(np.float16).astype(np.float64)


def _column_major(part: Part) -> Reals:
    return decoding.raw(part).reshape(part.cols, part.rows).T


def _reversed(matrices: Sequence[Reals]) -> Reals:
    return np.concatenate(matrices[::-1])


def _only_first(matrices: Sequence[Reals]) -> Reals:
    return np.concatenate([matrices[0], *(np.zeros_like(matrix) for matrix in matrices[1:])])


RAW = (
    ("raw values read big-endian", "LLQ-DEQ-6", _big_endian),
    ("f16 read as bfloat16", "LLQ-RAW-3", _bfloat16_values),
    ("subnormals of f16 flushed to zero", "LLQ-RAW-3", _flushed("f16")),
    ("subnormals of f32 flushed to zero", "LLQ-RAW-3", _flushed("f32")),
    ("raw values rounded to binary16", "LLQ-RAW-3", _rounded),
    ("raw tensor column-major", "LLQ-RAW-3", _column_major),
)

PARTS = (
    ("parts in reverse order", "LLQ-PART-10", _reversed),
    ("all parts but the first left zero", "LLQ-PART-10", _only_first),
)
