"""Tensors of a .safetensors file, read by position.

The safetensors library checks the file: that the header is not too long, that tensors are inside the file and
do not overlap, that sizes fit shapes. It cannot return bfloat16 to numpy, so this module reads the bytes at
the offsets of the header:

    u64 length of the header | header: {name: {dtype, shape, data_offsets: [begin, end]}} | data
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from llq_format.exporting.checkpoint.checkpoint import CheckpointError, Float32Array, Piece, StoredTensor
from llq_format.exporting.checkpoint.stored_bytes import StoredBytes

_STORED_AS: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
}


HEADER_BYTES = 8 * 2**20
"""Maximum length of a header, in bytes: more tensors than a package may have need less."""


class SafetensorsFile:
    """A TensorSource over one file."""

    format = "safetensors"
    dtypes = frozenset(_STORED_AS)

    def __init__(self, path: Path) -> None:
        """Read the header; raises CheckpointError."""
        try:
            with path.open("rb") as file:
                header_length = _checked(int.from_bytes(file.read(8), "little"))
                header = json.loads(file.read(header_length))
            with safe_open(path, framework="numpy"):
                pass
            self._file = StoredBytes(path)
        except (SafetensorError, OSError, ValueError) as error:
            raise CheckpointError(
                f"{path}: not a complete safetensors file ({error}): download it again",
            ) from error
        header.pop("__metadata__", None)
        self.tensors = {
            name: StoredTensor(path.name, entry["dtype"], tuple(entry["shape"]))
            for name, entry in header.items()
        }
        start = 8 + header_length
        self._offsets = {name: start + entry["data_offsets"][0] for name, entry in header.items()}

    def read(self, piece: Piece, out: Float32Array) -> None:
        """Fill `out` with the values, which binary32 represents exactly; values of F64 are rounded."""
        stored = self.tensors[piece.name]
        self._file.fill(self._offsets[piece.name], _STORED_AS[stored.dtype], stored.shape, piece, out)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _checked(header_length: int) -> int:
    """Return the length of a header. Raises ValueError if it is too long."""
    if header_length > HEADER_BYTES:
        raise ValueError(f"its header has {header_length} bytes, expected at most {HEADER_BYTES}")
    return header_length
