"""Mutants of one matrix product (ACT-7, ACT-8, NUM-3), and of the kernels that compute it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llq_format.reference import forward, matrix
from llq_format.reference.activations import Array
from llq_format.reference.matrix import Rounded

from ...runtimes import reference
from .composed_matrix import ComposedMatrix
from .mutant import mutant
from .seam import Seam

ROWS = 64
_matrix: Any = matrix
"""Its functions as they are at the time, perhaps another mutant's."""


def _rounding(precision: matrix.Precision) -> Callable[[Array], Rounded]:
    """Return the rounding of a precision, perhaps another mutant's."""
    if precision == "binary16":
        return lambda x: Rounded(_matrix.round_binary16(x))
    return lambda x: Rounded(*_matrix.quantize_int8(x))


def replace_product(seam: Seam, product: Callable[[Array, Array], Array]) -> None:
    """Multiply rounded inputs [n, cols] and weights [rows, cols] of INT4 matrices in another way."""

    def mutate(_original: Callable[..., Any]) -> Callable[..., Any]:
        def int4_matrix(packed: Any, precision: matrix.Precision) -> matrix.Matrix:
            weights = packed.dequantize().astype(np.float64)

            def multiply(x: Rounded) -> Array:
                y = product(x.values, weights)
                return y if x.scales is None else np.asarray(x.scales * y)

            return ComposedMatrix(_rounding(precision), multiply)

        return int4_matrix

    for module in (forward, reference):
        seam.wrap(module, "int4_matrix", mutate)


@mutant("sums in binary16", "ACT-8", "matvec")
def sums_in_binary16(seam: Seam) -> None:
    def narrow(a: Array, weights: Array) -> Array:
        terms = (a[:, None] * weights).astype(np.float16)
        return terms.cumsum(axis=-1, dtype=np.float16)[..., -1].astype(np.float64)

    replace_product(seam, narrow)


@mutant("products rounded to binary16 before they are added", "ACT-8", "matvec")
def products_in_binary16(seam: Seam) -> None:
    def narrow(a: Array, weights: Array) -> Array:
        return np.asarray((a[:, None] * weights).astype(np.float16).astype(np.float64).sum(axis=-1))

    replace_product(seam, narrow)


@mutant("the sum of each block rounded to binary16", "ACT-8", "matvec")
def block_sums_in_binary16(seam: Seam) -> None:
    def narrow(a: Array, weights: Array) -> Array:
        edges = range(0, weights.shape[1], ROWS)
        blocks = [a[:, edge : edge + ROWS] @ weights[:, edge : edge + ROWS].T for edge in edges]
        return np.asarray(np.sum([block.astype(np.float16).astype(np.float64) for block in blocks], axis=0))

    replace_product(seam, narrow)


@mutant("results of matmuls in binary16", "NUM-3", "matvec")
def result_in_binary16(seam: Seam) -> None:
    replace_product(seam, lambda a, weights: (a @ weights.T).astype(np.float16).astype(np.float64))


@mutant("weights rounded to binary16 in matmul", "NUM-3", "matvec")
def matmul_weights_in_binary16(seam: Seam) -> None:
    replace_product(seam, lambda a, weights: a @ weights.astype(np.float16).astype(np.float64).T)


@mutant("weights rounded to bfloat16 in matmul", "NUM-3", "matvec")
def matmul_weights_in_bfloat16(seam: Seam) -> None:
    def narrow(a: Array, weights: Array) -> Array:
        bits = weights.astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
        return a @ bits.view(np.float32).astype(np.float64).T

    replace_product(seam, narrow)


def _sum_of_columns(keep: Callable[[int], int]) -> Callable[[Array, Array], Array]:
    """Return a product that sums over the first keep(cols) columns alone."""
    return lambda a, w: a[:, : keep(w.shape[1])] @ w[:, : keep(w.shape[1])].T


@mutant("columns after the last full block left out of sums", "NUM-3", "matvec")
def last_columns_skipped(seam: Seam) -> None:
    replace_product(seam, _sum_of_columns(lambda cols: cols // ROWS * ROWS))


@mutant("the last column left out of sums", "NUM-3", "matvec")
def last_column_skipped(seam: Seam) -> None:
    replace_product(seam, _sum_of_columns(lambda cols: cols - 1))


def _rows(change: Callable[[Array], Array]) -> Callable[[Array, Array], Array]:
    return lambda a, w: change((a @ w.T).T).T


@mutant("rows after the last full block left zero", "NUM-3", "matvec")
def last_rows_skipped(seam: Seam) -> None:
    def full_blocks_only(rows: Array) -> Array:
        computed = np.arange(len(rows)) < len(rows) // ROWS * ROWS
        return rows * computed[:, None]

    replace_product(seam, _rows(full_blocks_only))


@mutant("the last row left zero", "NUM-3", "matvec")
def last_row_skipped(seam: Seam) -> None:
    replace_product(seam, _rows(lambda rows: rows * (np.arange(len(rows)) < len(rows) - 1)[:, None]))


@mutant("rows after the first 64 read one row too far", "NUM-3", "matvec")
def split_binding_off_by_one(seam: Seam) -> None:
    def shifted(rows: Array) -> Array:
        return np.concatenate([rows[:ROWS], rows[ROWS + 1 :], np.zeros_like(rows[ROWS : ROWS + 1])])

    replace_product(seam, _rows(shifted))


@mutant("the sums of half the invocations lost: subgroups taken for 32", "NUM-3", "matvec")
def subgroups_of_32(seam: Seam) -> None:
    def half(a: Array, weights: Array) -> Array:
        mask = np.arange(weights.shape[1]) % ROWS < ROWS // 2
        return (a * mask) @ weights.T

    replace_product(seam, half)


@mutant("the product of the first vector for all", "ACT-3", "matvec")
def matmul_only_first_vector(seam: Seam) -> None:
    replace_product(seam, lambda a, weights: np.repeat(a[:1] @ weights.T, len(a), axis=0))


def _integers(seam: Seam, dots: Callable[[Array, Array, Array], Array]) -> None:
    """Combine a block's Σ code·q, zero points and Σ q [across, rows, tokens] in another way for INT8."""

    def mutate(original: Callable[..., Any]) -> Callable[..., Any]:
        def int4_matrix(packed: Any, precision: matrix.Precision) -> matrix.Matrix:
            if precision != "int8":
                product: matrix.Matrix = original(packed, precision)
                return product
            return _separate_product(packed, dots)

        return int4_matrix

    for module in (forward, reference):
        seam.wrap(module, "int4_matrix", mutate)


def _separate_product(packed: Any, dots: Callable[[Array, Array, Array], Array]) -> matrix.Matrix:
    rows, cols = packed.shape
    grid_rows, grid_cols = -(-rows // ROWS), -(-cols // ROWS)

    def spread(of_blocks: NDArray[Any]) -> Array:
        grid = of_blocks.astype(np.float64).reshape(grid_rows, grid_cols)
        return grid.repeat(ROWS, axis=0)[:rows].T[:, :, None]  # [across, rows, 1]

    zero_points = np.full(len(packed.scales), 8) if packed.zero_points is None else packed.zero_points
    tiles = packed.codes.astype(np.float64).reshape(grid_rows, grid_cols, ROWS, ROWS).transpose(1, 0, 2, 3)
    codes = tiles.reshape(grid_cols, -1, ROWS)[:, :rows]

    def multiply(x: Rounded) -> Array:
        q, s = x
        padded = np.pad(q, ((0, 0), (0, grid_cols * ROWS - cols))).reshape(len(q), grid_cols, ROWS)
        vectors = padded.transpose(1, 2, 0)
        sums = dots(codes @ vectors, spread(zero_points), vectors.sum(axis=1)[:, None, :])
        return np.asarray((spread(packed.scales) * sums).sum(axis=0).T * s)

    return ComposedMatrix(_rounding("int8"), multiply)


@mutant("the correction zero_point · Σq missing", "ACT-7", "matvec")
def zero_point_correction_missing(seam: Seam) -> None:
    _integers(seam, lambda dot, _zero, _total: dot)


@mutant("the correction zero_point · Σq applied twice", "ACT-7", "matvec")
def zero_point_correction_twice(seam: Seam) -> None:
    _integers(seam, lambda dot, zero, total: dot - 2 * zero * total)


@mutant("the correction zero_point · Σq added by 64 threads", "ACT-7", "matvec")
def zero_point_correction_by_threads(seam: Seam) -> None:
    _integers(seam, lambda dot, zero, total: dot - 64 * zero * total)


@mutant("the correction zero_point · Σq added, not subtracted", "ACT-7", "matvec")
def zero_point_correction_added(seam: Seam) -> None:
    _integers(seam, lambda dot, zero, total: dot + zero * total)


@mutant("dot products of blocks wrapped to 16 bits", "ACT-7", "matvec")
def dot_wraps_at_16_bits(seam: Seam) -> None:
    def wrapped(dot: Array, zero: Array, total: Array) -> Array:
        return (dot - zero * total).astype(np.int64).astype(np.int16).astype(np.float64)

    _integers(seam, wrapped)


@mutant("dot products of blocks rounded to binary16", "ACT-7", "matvec")
def dot_in_binary16(seam: Seam) -> None:
    _integers(seam, lambda dot, zero, total: (dot - zero * total).astype(np.float16).astype(np.float64))


@mutant("Σq wrapped to 8 bits in the correction", "ACT-7", "matvec")
def matmul_zero_point_wrapped(seam: Seam) -> None:
    def wrapped(dot: Array, zero: Array, total: Array) -> Array:
        return dot - zero * total.astype(np.int64).astype(np.int8)

    _integers(seam, wrapped)


@mutant("dot products of blocks clipped at 2^19", "ACT-7", "matvec")
def dot_clipped_at_2_19(seam: Seam) -> None:
    def clipped(dot: Array, zero: Array, total: Array) -> Array:
        return np.clip(dot - zero * total, -(2.0**19), 2.0**19)

    _integers(seam, clipped)
