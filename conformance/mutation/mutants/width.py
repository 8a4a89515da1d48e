"""Mutants of wide matrices, norms and heads: right as long as rows are short."""

from collections.abc import Callable
from typing import Any

import numpy as np

from llq_format.reference import attention, forward, matrix
from llq_format.reference.activations import Array

from .composed_matrix import ComposedMatrix
from .matmul import ROWS, replace_product
from .mutant import mutant
from .seam import Seam


def _first_columns(seam: Seam, count: int) -> None:
    """Sum over the first columns of INT4 matrices alone."""
    replace_product(seam, lambda a, w: a[:, :count] @ w[:, :count].T)


@mutant("columns after the first 16 blocks left out of sums", "NUM-3", "matvec")
def columns_after_16_blocks_skipped(seam: Seam) -> None:
    _first_columns(seam, 16 * ROWS)


@mutant("columns after the first 32 blocks left out of sums", "NUM-3", "matvec")
def columns_after_32_blocks_skipped(seam: Seam) -> None:
    _first_columns(seam, 32 * ROWS)


@mutant("number of a block in a row in 8 bits: block 0 again after block 255", "NUM-3", "matvec")
def block_column_in_8_bits(seam: Seam) -> None:
    def wrapped(a: Array, weights: Array) -> Array:
        columns = np.arange(weights.shape[1]) % (256 * ROWS)
        return np.asarray(a @ weights[:, columns].T)

    replace_product(seam, wrapped)


@mutant("norms divided by the root mean square of the first 128 elements", "DEC-3")
def norm_of_the_first_128(seam: Seam) -> None:
    def norm(x: Array, weight: Array | None, eps: float) -> Array:
        first = x[..., :128]
        y = x / np.sqrt(np.mean(first * first, axis=-1, keepdims=True) + eps)
        return np.asarray(y if weight is None else weight * y)

    for module in (forward, attention):
        seam.replace(module, "rms_norm", norm)


@mutant("the head over the first 128 columns alone", "DEC-16")
def head_of_the_first_128_columns(seam: Seam) -> None:
    def mutate(original: Callable[..., Any]) -> Callable[..., Any]:
        def head(self: forward.Decoder) -> Any:
            correct_head: matrix.Matrix = original(self)

            def short(x: matrix.Rounded) -> Array:
                columns = np.where(np.arange(x.values.shape[-1]) < 128, x.values, 0)
                return correct_head.product(matrix.Rounded(columns))

            return ComposedMatrix(correct_head.rounded, short)

        return head

    seam.wrap(forward.Decoder, "_head", mutate)


def _scored_elements(seam: Seam, count: int) -> None:
    """Take the scores over the first elements of heads alone."""

    def mutate(positioned: Callable[..., tuple[Array, Array]]) -> Callable[..., tuple[Array, Array]]:
        def short(*arguments: Any, **members: Any) -> tuple[Array, Array]:
            q, k = positioned(*arguments, **members)
            return np.where(np.arange(q.shape[-1]) < count, q, 0), k

        return short

    seam.wrap(attention, "positioned", mutate)


@mutant("scores over the first 16 elements of heads", "DEC-9")
def scores_of_the_first_16_elements(seam: Seam) -> None:
    _scored_elements(seam, 16)


@mutant("scores over the first 64 elements of heads", "DEC-9")
def scores_of_the_first_64_elements(seam: Seam) -> None:
    _scored_elements(seam, 64)


@mutant("values of heads after the first 64 elements left zero", "DEC-11")
def values_of_the_first_64_elements(seam: Seam) -> None:
    def mutate(weighted_values: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
        def short(weights: Array, values: Array) -> Array:
            return weighted_values(weights, np.where(np.arange(values.shape[-1]) < 64, values, 0))

        return short

    seam.wrap(attention, "weighted_values", mutate)
