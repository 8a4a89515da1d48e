"""What an adapter hands over as weights: float32, in C order, little-endian where it is a file."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from conformance.adapter import BrokenAdapter

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def checked(weights: Any) -> NDArray[np.float32]:
    """Return what `decode` returned if it is a float32 array."""
    if not isinstance(weights, np.ndarray):
        raise BrokenAdapter(f"decode returned {type(weights).__name__}, not a numpy array")
    if weights.dtype != np.float32:
        raise BrokenAdapter(f"decode returned an array of {weights.dtype}, not of float32")
    return weights


def load(file: Path) -> NDArray[np.float32]:
    """Read the .npy file that an adapter wrote."""
    if not file.is_file():
        raise BrokenAdapter("it answered that the tensor is decoded, but wrote no file at `output`")
    try:
        with file.open("rb") as stream:
            version = npy.read_magic(stream)
            if version not in _HEADERS:
                raise BrokenAdapter(f"its .npy has version {version[0]}.{version[1]}; write version 1.0")
            shape, fortran_order, dtype = _HEADERS[version](stream)
            begin = stream.tell()
    except ValueError as error:
        raise BrokenAdapter(f"what it wrote at `output` is no .npy file: {error}") from error
    if dtype.str != "<f4":
        raise BrokenAdapter(f"its .npy has descr {dtype.str!r}; it must be '<f4', little-endian float32")
    if fortran_order and len(shape) > 1:
        raise BrokenAdapter("its .npy is in Fortran order; weights are row-major, fortran_order False")
    expected, found = 4 * math.prod(shape), file.stat().st_size - begin
    if found != expected:
        raise BrokenAdapter(
            f"its .npy has {found} bytes of data where its shape {list(shape)} needs {expected}"
        )
    return np.fromfile(file, "<f4", offset=begin).astype(np.float32, copy=False).reshape(shape)
