"""Tensors of a .safetensors file, memory-mapped.

The safetensors library checks the file: that the header is not too long, that tensors are inside the file and
do not overlap, that sizes fit shapes. It cannot return bfloat16 to numpy, so this module reads the bytes at
the offsets of the header:

    u64 length of the header | header: {name: {dtype, shape, data_offsets: [begin, end]}} | data
"""

import json
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from llq_format.exporting.checkpoint.checkpoint import CheckpointError, Float32Array, Piece, StoredTensor

_STORED_AS: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
}


class SafetensorsFile:
    """A TensorSource over one file."""

    format = "safetensors"
    dtypes = frozenset(_STORED_AS)

    def __init__(self, path: Path) -> None:
        """Read the header; raises CheckpointError."""
        try:
            with safe_open(path, framework="numpy"), path.open("rb") as file:
                header_length = int.from_bytes(file.read(8), "little")
                header = json.loads(file.read(header_length))
            self._data = np.memmap(path, np.uint8, mode="r")[8 + header_length :]
        except (SafetensorError, OSError, ValueError) as error:
            raise CheckpointError(
                f"{path}: not a complete safetensors file ({error}): download it again",
            ) from error
        header.pop("__metadata__", None)
        self.tensors = {
            name: StoredTensor(path.name, entry["dtype"], tuple(entry["shape"]))
            for name, entry in header.items()
        }
        self._offsets = {name: entry["data_offsets"][0] for name, entry in header.items()}

    def read(self, piece: Piece, out: Float32Array) -> None:
        """Fill `out` with the values, which binary32 represents exactly; values of F64 are rounded."""
        stored = self.tensors[piece.name]
        tensor = np.frombuffer(
            self._data,
            _STORED_AS[stored.dtype],
            prod(stored.shape),
            self._offsets[piece.name],
        ).reshape(stored.shape)
        values = piece.of(tensor)
        if stored.dtype == "BF16":
            bits = out.view(np.uint32)
            bits[...] = values
            bits <<= 16
        else:
            out[...] = values

    def close(self) -> None:
        """Unmap the file once it has no more views."""
        del self._data
