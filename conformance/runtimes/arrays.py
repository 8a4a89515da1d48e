"""Arrays that an adapter returns: float32 or float64, in C order; files are little-endian."""

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ..core.runtime import BrokenAdapter

FLOAT32 = {"<f4": "float32"}
FLOATS = {"<f4": "float32", "<f8": "float64"}
"""Which types an answer may have: the `descr` of a .npy, and the name."""

LARGEST = 1 << 30
"""Bytes of an answer; none that a vector asks for comes near."""

SMALL = 1 << 20
"""Elements of an array that is read even if its shape is wrong: the check then names the rule."""

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def checked(array: Any, types: dict[str, str], method: str) -> NDArray[Any]:
    """Return what a method returned if it is an array of one of these types."""
    if not isinstance(array, np.ndarray):
        raise BrokenAdapter(f"{method} returned {type(array).__name__}, not a numpy array")
    if array.dtype.name not in types.values():
        type_names = " or ".join(types.values())
        raise BrokenAdapter(f"{method} returned an array of {array.dtype}, not of {type_names}")
    return array


def load(
    file: Path, types: dict[str, str], member: str = "output", *, expected: int | None = None
) -> NDArray[Any]:
    """Read the .npy file that an adapter wrote at the path that a member of the request names.

    expected: number of elements of a right answer, if known. A much larger file is refused by its header.
    """
    if not file.is_file():
        raise BrokenAdapter(f"the response reports success, but there is no file at `{member}`")
    try:
        with file.open("rb") as stream, warnings.catch_warnings(action="error"):
            version = npy.read_magic(stream)
            if version not in _HEADERS:
                reason = f"the version of its .npy is {version[0]}.{version[1]}, expected 1.0 or 2.0"
                raise BrokenAdapter(reason)  # noqa: TRY301 - one `try` for all that is wrong with a header
            shape, fortran_order, dtype = _HEADERS[version](stream)
            begin = stream.tell()
    except BrokenAdapter:
        raise
    except Exception as error:  # a header is parsed as Python, so its errors are of many kinds
        reason = str(error).partition("\n")[0][:200]
        raise BrokenAdapter(f"the file at `{member}` is not a .npy file: {reason}") from error
    if dtype.str not in types:
        type_names = " or ".join(f"{descr!r}, little-endian {name}" for descr, name in types.items())
        raise BrokenAdapter(f"the descr of its .npy is {dtype.str!r}, expected {type_names}")
    if fortran_order and len(shape) > 1:
        raise BrokenAdapter("its .npy is in Fortran order, expected row-major order (fortran_order False)")
    needed, size = dtype.itemsize * math.prod(shape), file.stat().st_size - begin
    if expected is not None and math.prod(shape) > max(expected, SMALL):
        raise BrokenAdapter(
            f"its .npy has the shape {list(shape)}, {math.prod(shape)} elements; expected {expected} elements"
        )
    if size != needed:
        raise BrokenAdapter(f"its .npy has {size} bytes of data where its shape {list(shape)} needs {needed}")
    if needed > LARGEST or min(shape, default=0) < 0 or max(shape, default=0) > LARGEST:
        raise BrokenAdapter(
            f"its .npy has the shape {list(shape)}; an expected array is at most {LARGEST} bytes"
        )
    native = dtype.newbyteorder("=")
    return np.fromfile(file, dtype, offset=begin).astype(native, copy=False).reshape(shape)


def separated(values: NDArray[Any], tensors: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
    """Return tensors by name from a file that contains them one after another, and from their shapes."""
    sizes = [math.prod(tensor["shape"]) for tensor in tensors]
    if values.ndim != 1 or len(values) != sum(sizes):
        raise BrokenAdapter(
            f"its .npy has the shape {list(values.shape)}; the shapes of its tensors need [{sum(sizes)}]"
        )
    names = [tensor["name"] for tensor in tensors]
    if len(set(names)) < len(names):
        raise BrokenAdapter("its trace contains a name twice")
    pieces = np.split(values, np.cumsum(sizes)[:-1]) if sizes else []
    return {t["name"]: piece.reshape(t["shape"]) for t, piece in zip(tensors, pieces, strict=True)}
