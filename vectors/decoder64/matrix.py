"""Matrices, their products with rounded vectors, and the error bounds of chapter Numerics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vectors.decoder64.package import BLOCK, Array, Blocks

U = 2.0**-24
"""The unit roundoff of binary32."""

SMALLEST_NORMAL_16 = 2.0**-14


@dataclass(frozen=True)
class Matrix:
    """Weights [rows, cols], and `counted`, the share of each in the error bound of binary16 inputs."""

    weights: Array
    counted: Array

    def times(self, a: Array) -> Array:
        """Return the product with vectors [n, cols], as [n, rows]."""
        return a @ self.weights.T

    def error_bound(self, a: Array) -> Array:
        """Return the error bound of each element of the product with binary16 inputs (NUM-15)."""
        magnitudes = np.abs(a)
        n = a.shape[1]
        gamma = (n + 8) * U / (1 - (n + 8) * U)
        flushed = np.where(magnitudes < SMALLEST_NORMAL_16, magnitudes, 0)
        bound: Array = gamma * (magnitudes @ self.counted.T)
        return bound + flushed @ np.abs(self.weights).T if flushed.any() else bound


@dataclass(frozen=True)
class Int4Matrix(Matrix):
    """An INT4 matrix: `tiles` are code less zero_point [across, 64, rows], `scales` [across, rows]."""

    tiles: Array
    scales: Array

    def times8(self, scale: Array, codes: Array) -> tuple[Array, Array]:
        """Return the product with INT8 codes [n, cols] and scales [n, 1], and its error bound (NUM-15)."""
        across = len(self.tiles)
        padded = np.zeros((len(codes), across * BLOCK))
        padded[:, : codes.shape[1]] = codes
        dots = padded.reshape(len(codes), across, BLOCK).swapaxes(0, 1) @ self.tiles  # exact integers
        terms = dots * self.scales[:, None, :]
        gamma = (2.0**-21 + (across + 4) * U) / (1 - (across + 4) * U)
        return scale * terms.sum(axis=0), gamma * scale * np.abs(terms).sum(axis=0)


def raw_matrix(weights: Array) -> Matrix:
    """Return a raw tensor [rows, cols] as a matrix."""
    return Matrix(weights, np.abs(weights))


def int4_matrix(blocks: Blocks) -> Int4Matrix:
    """Return an INT4 tensor as a matrix."""
    rows, cols = blocks.codes.shape
    across = blocks.scales.shape[1]
    scales = blocks.spread(blocks.scales)
    padded = np.zeros((rows, across * BLOCK))
    padded[:, :cols] = blocks.differences
    return Int4Matrix(
        weights=scales * blocks.differences,
        counted=scales * (blocks.codes + np.abs(blocks.spread(blocks.zero_points))),
        tiles=np.ascontiguousarray(padded.reshape(rows, across, BLOCK).transpose(1, 2, 0)),
        scales=blocks.scales.repeat(BLOCK, axis=0)[:rows].T,
    )
