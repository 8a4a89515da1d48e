"""Random INT4 matrices and vectors as kernels take them, and the exact results (rules ACT-7, NUM-3)."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llq_format.format.packing import pack

Array = NDArray[Any]
UNIT = 2.0**-24


@dataclass(frozen=True)
class Matrix:
    """An INT4 matrix: codes uint8 [rows, cols], scale float16 and zero_point int8 [rows / 64, cols / 64]."""

    codes: Array
    scale: Array
    zero_point: Array
    symmetric: bool

    @property
    def rows(self) -> int:
        """Return the count of rows."""
        return int(self.codes.shape[0])

    @property
    def cols(self) -> int:
        """Return the count of columns."""
        return int(self.codes.shape[1])

    @property
    def across(self) -> int:
        """Return the count of blocks in a row."""
        return -(-self.cols // 64)

    def packed(self) -> Array:
        """Return the blocks as words [blocks, 512]."""
        down = self.scale.shape[0]
        padded = np.zeros((64 * down, 64 * self.across), np.uint8)
        padded[: self.rows, : self.cols] = self.codes
        blocks = padded.reshape(down, 64, self.across, 64).transpose(0, 2, 1, 3)
        return pack(np.ascontiguousarray(blocks)).view(np.uint32).reshape(-1, 512)

    def per_block(self, first_block: int = 0) -> tuple[Array, Array]:
        """Return the scale and zero_point sections; `first_block` blocks of NaN and of 127 precede them."""
        before = np.full(first_block, np.nan, np.float16)
        scale = np.concatenate([before, self.scale.reshape(-1)])
        zero_point = np.concatenate([np.full(first_block, 127, np.int8), self.zero_point.reshape(-1)])
        return _whole_words(scale), _whole_words(zero_point)

    def differences(self) -> Array:
        """Return code − zero_point as int64 [rows, cols]."""
        zero_point = np.full_like(self.zero_point, 8) if self.symmetric else self.zero_point
        wide = zero_point.astype(np.int64).repeat(64, 0)[: self.rows].repeat(64, 1)[:, : self.cols]
        return self.codes.astype(np.int64) - wide


def random_matrix(
    rng: np.random.Generator, rows: int, cols: int, *, symmetric: bool, scales: Array | None = None
) -> Matrix:
    """Return a matrix with codes and zero points over all their values; scales are drawn from `scales`."""
    shape = (-(-rows // 64), -(-cols // 64))
    zero_point = rng.integers(-128, 128, shape, np.int8)
    zero_point.reshape(-1)[: min(2, zero_point.size)] = [-128, 127][: min(2, zero_point.size)]
    if scales is None:
        scale = np.exp2(rng.uniform(-12, 3, shape)).astype(np.float16)
    else:
        scale = rng.choice(scales, shape).astype(np.float16)
    return Matrix(rng.integers(0, 16, (rows, cols), np.uint8), scale, zero_point, symmetric)


@dataclass(frozen=True)
class Int8Vectors:
    """Vectors rounded to INT8: q int8 [tokens, cols] and the scale float32 [tokens] of each."""

    q: Array
    scale: Array

    def buffers(self, stride: int, *, unused: int = 0) -> tuple[Array, Array, Array]:
        """Return codes u32 [N, stride, 16] in INT8 order, sums i32 [N, stride] and scales f32 [N].

        Blocks after the vectors', and `unused` vectors after the last, hold what must not be used.
        """
        tokens, cols = self.q.shape
        across = -(-cols // 64)
        padded = np.full((tokens + unused, 64 * stride), -128, np.int8)
        padded[:tokens, : 64 * across] = 0
        padded[:tokens, :cols] = self.q
        ordered = padded.reshape(-1, stride, 4, 4, 4).transpose(0, 1, 2, 4, 3)  # vector, block, w, k, j
        codes = np.ascontiguousarray(ordered).view(np.uint32).reshape(-1, stride, 16)
        sums = padded.reshape(-1, stride, 64).sum(axis=2, dtype=np.int32)
        scales = np.full(tokens + unused, np.nan, np.float32)
        scales[:tokens] = self.scale
        return codes, sums, scales


def random_int8(
    rng: np.random.Generator, tokens: int, cols: int, *, largest: int = 127, exact: bool = False
) -> Int8Vectors:
    """Return vectors of codes up to `largest`; scales are powers of two if `exact`."""
    q = rng.integers(-largest, largest + 1, (tokens, cols), np.int8)
    exponent = rng.uniform(-9, 1, tokens)
    return Int8Vectors(q, np.exp2(np.round(exponent) if exact else exponent).astype(np.float32))


def int8_product(matrix: Matrix, vectors: Int8Vectors) -> tuple[Array, Array]:
    """Return the product in binary64 [tokens, rows] and its error bound, from exact block dot products.

    The error of binary64, 2^-53 relative to M, is not part of the error bound's 2^-21.
    """
    edges = range(0, matrix.cols, 64)
    differences = matrix.differences()
    terms = []
    for edge in edges:
        columns = slice(edge, edge + 64)
        dots = vectors.q[:, columns].astype(np.int64) @ differences[:, columns].T
        scale = matrix.scale[:, edge // 64].astype(np.float64).repeat(64)[: matrix.rows]
        terms.append(scale * dots)
    factor = vectors.scale.astype(np.float64)[:, None]
    result = factor * np.sum(terms, axis=0)
    magnitude = factor * np.sum(np.abs(terms), axis=0)
    unit = (len(terms) + 4) * UNIT
    return result, (2.0**-21 + unit) * magnitude / (1 - unit)


def float32_holds(matrix: Matrix, vectors: Int8Vectors) -> bool:
    """Return whether binary32 holds each sum of an INT8 product whose scales are powers of two."""
    step = Fraction(float(matrix.scale.astype(np.float64).min()))
    _, bound = int8_product(matrix, vectors)
    unit = (matrix.across + 4) * UNIT
    magnitude = bound * (1 - unit) / (2.0**-21 + unit) / vectors.scale.astype(np.float64)[:, None]
    return bool(magnitude.max() <= float(step) * 2**24)


def random_binary16(rng: np.random.Generator, tokens: int, cols: int) -> Array:
    """Return vectors float32 [tokens, cols] of binary16 values, normal or zero, over many magnitudes."""
    values = rng.normal(size=(tokens, cols)) * np.exp2(rng.uniform(-6, 6, (tokens, 1)))
    rounded = values.astype(np.float16)
    rounded[np.abs(rounded) < np.float16(2.0**-14)] = 0
    return rounded.astype(np.float32)


def rounded_buffers(vectors: Array, stride: int, *, unused: int = 0) -> tuple[Array, Array]:
    """Return rounded f32 [N, 64 stride] and rounded_sums f32 [N, stride], NaN where nothing must be used."""
    tokens, cols = vectors.shape
    rounded = np.full((tokens + unused, 64 * stride), np.nan, np.float32)
    rounded[:tokens, : -(-cols // 64) * 64] = 0
    rounded[:tokens, :cols] = vectors
    return rounded, rounded.reshape(-1, stride, 64).sum(axis=2)


def binary16_product(matrix: Matrix, vectors: Array) -> tuple[Array, Array]:
    """Return the product in binary64 [tokens, rows] and its error bound."""
    x = vectors.astype(np.float64)
    scale = matrix.scale.astype(np.float64).repeat(64, 0)[: matrix.rows].repeat(64, 1)[:, : matrix.cols]
    zero_point = np.full_like(matrix.zero_point, 8) if matrix.symmetric else matrix.zero_point
    zero = np.abs(zero_point.astype(np.float64)).repeat(64, 0)[: matrix.rows].repeat(64, 1)[:, : matrix.cols]
    result = x @ (scale * matrix.differences()).T
    magnitude = np.abs(x) @ (scale * (matrix.codes + zero)).T
    unit = (matrix.cols + 8) * UNIT
    return result, unit * magnitude / (1 - unit)


def _whole_words(items: Array) -> Array:
    """Return items followed by 0xFF up to a multiple of 16 bytes."""
    raw = np.ascontiguousarray(items).view(np.uint8).reshape(-1)
    return np.concatenate([raw, np.full(-raw.size % 16, 0xFF, np.uint8)]).view(np.uint32)
