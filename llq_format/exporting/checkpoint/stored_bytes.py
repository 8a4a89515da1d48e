"""The bytes of a checkpoint's file, read by position.

A mapping of a file that becomes shorter ends the process (SIGBUS).
A read returns fewer bytes, which is an error.
"""

import os
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llq_format.exporting.checkpoint.checkpoint import CheckpointError, Piece

_CHUNK = 1 << 15  # bytes to read at a time


class StoredBytes:
    """A file that is open for reading by position."""

    def __init__(self, path: Path) -> None:
        """Open the file. Raises OSError."""
        self._path = path
        self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        self.size = os.fstat(self._descriptor).st_size

    def read(self, offset: int, size: int) -> NDArray[np.uint8]:
        """Return `size` bytes from `offset`. Raises CheckpointError if the file ends before."""
        data = np.empty(size, np.uint8)
        view, position = data.data, 0
        while position < size:
            count = os.preadv(self._descriptor, [view[position:]], offset + position)
            if count == 0:
                end = os.fstat(self._descriptor).st_size
                raise CheckpointError(
                    f"{self._path}: ends early, at byte {end}: download it again, and do not "
                    "change it during the export"
                )
            position += count
        return data

    def rows(
        self, offset: int, dtype: np.dtype[Any], shape: tuple[int, ...], piece: Piece, chunk: int
    ) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield the rows of a piece, as stored, in runs of about `chunk` bytes: first row, array [n, width].

        offset, dtype, shape: of the whole tensor in the file. A vector is one row.
        """
        shape = shape if len(shape) > 1 else (1, prod(shape))
        if piece.stack is not None:
            shape = shape[1:]
            offset += piece.stack.index * prod(shape) * dtype.itemsize
        width = prod(shape[1:])
        row_bytes = width * dtype.itemsize
        first, count = 0, shape[0]
        if piece.rows is not None:
            first, count = piece.rows.first, piece.shape[0]
        step = max(1, chunk // max(1, row_bytes))
        for row in range(0, count, step):
            n = min(step, count - row)
            data = self.read(offset + (first + row) * row_bytes, n * row_bytes)
            yield row, data.view(dtype).reshape(n, width)
            del data  # freed before the next chunk is read

    def fill(
        self,
        offset: int,
        dtype: np.dtype[Any],
        shape: tuple[int, ...],
        piece: Piece,
        out: NDArray[np.float32],
    ) -> None:
        """Fill `out` with the values of a piece; `dtype` u2 means bfloat16. The rest is as in `rows`."""
        target: Any = out.view(np.uint32) if dtype == np.uint16 else out
        if piece.stack is not None and piece.stack.transposed:
            target = target.T
        elif target.ndim != 2:
            target = target.reshape(1 if target.ndim < 2 else len(target), -1)
        for row, values in self.rows(offset, dtype, shape, piece, _CHUNK):
            self.widen(values, target[row : row + len(values)])
            del values  # freed before the next chunk is read

    @staticmethod
    def widen(values: NDArray[Any], out: NDArray[Any]) -> None:
        """Copy values into binary32, or bits of bfloat16 (u2) into its upper half."""
        if values.dtype != np.uint16:
            out[...] = values
            return
        bits = out if out.dtype == np.uint32 else out.view(np.uint32)
        bits[...] = values
        bits <<= np.uint32(16)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
