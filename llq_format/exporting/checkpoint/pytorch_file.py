"""Tensors of a pytorch_model.bin, read by position. Its pickle cannot run code, and torch is not needed."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llq_format.exporting.checkpoint.checkpoint import CheckpointError, Float32Array, Piece, StoredTensor
from llq_format.exporting.checkpoint.pytorch_pickle import PickledTensor, PickleError, read
from llq_format.exporting.checkpoint.stored_bytes import StoredBytes

_STORED_AS: dict[str, np.dtype[Any]] = {
    "float64": np.dtype("<f8"),
    "float32": np.dtype("<f4"),
    "float16": np.dtype("<f2"),
    "bfloat16": np.dtype("<u2"),
}


class PytorchFile:
    """A TensorSource over one file."""

    format = "pytorch"
    dtypes = frozenset(_STORED_AS)

    def __init__(self, path: Path) -> None:
        """Read the names, shapes and types; raises CheckpointError."""
        try:
            self._tensors = read(path)
            self._file = StoredBytes(path)
        except (PickleError, OSError) as error:
            raise CheckpointError(
                f"{path}: this file cannot be read as weights ({error}): download it again, "
                "or use the .safetensors files of the checkpoint"
            ) from error
        self.tensors = {
            name: StoredTensor(path.name, tensor.dtype, tensor.shape)
            for name, tensor in self._tensors.items()
        }

    def read(self, piece: Piece, out: Float32Array) -> None:
        """Fill `out` with the values, which binary32 represents exactly; values of float64 are rounded."""
        tensor = self._tensors[piece.name]
        dtype = _STORED_AS[tensor.dtype]
        if tensor.is_contiguous:
            self._file.fill(tensor.offset, dtype, tensor.shape, piece, out)
        else:
            self._file.widen(piece.of(self._strided(tensor, dtype)), out)

    def _strided(self, tensor: PickledTensor, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return a whole tensor whose elements are not in C order."""
        steps = [(size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides, strict=True)]
        data = self._file.read(tensor.offset, (sum(steps) + 1) * dtype.itemsize).view(dtype)
        strides = [stride * dtype.itemsize for stride in tensor.strides]
        return np.lib.stride_tricks.as_strided(data, tensor.shape, strides, writeable=False)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
