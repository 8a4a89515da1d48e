"""Tensors of a pytorch_model.bin, through torch's weights-only loader, memory-mapped if possible.

torch is an extra, because of its size. Only its restricted unpickler is used: a file cannot run code.
"""

import zipfile
from importlib import import_module
from math import prod
from pathlib import Path
from typing import Any

from llq_format.exporting.checkpoint.checkpoint import CheckpointError, Float32Array, Piece, StoredTensor


class PytorchFile:
    """A TensorSource over one file."""

    format = "pytorch"
    dtypes = frozenset({"float64", "float32", "float16", "bfloat16"})

    def __init__(self, path: Path) -> None:
        """Read the names, shapes and types; raises CheckpointError."""
        self._path = path
        self._before = _size_and_times(path)
        try:
            self._torch: Any = import_module("torch")
        except ModuleNotFoundError as error:
            raise CheckpointError(
                f"{path}: reading this file requires torch: pip install 'llq-format[torch]', "
                "or use the .safetensors files of the checkpoint",
            ) from error
        try:
            mapped = zipfile.is_zipfile(path)  # the form since torch 1.6; older files are read whole
            state: Any = self._torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
        except Exception as error:  # torch raises many classes for a damaged file
            first = str(error).partition("\n")[0].partition(". ")[0] or type(error).__name__
            raise CheckpointError(
                f"{path}: torch cannot read this file as weights ({first}): download it again"
            ) from error
        if not isinstance(state, dict):
            raise CheckpointError(f"{path}: not a dictionary of tensors")
        for name, tensor in state.items():
            self._check(path, name, tensor)
        self._state: dict[str, Any] = state
        self.tensors = {
            name: StoredTensor(path.name, str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape))
            for name, tensor in state.items()
        }

    def _check(self, path: Path, name: object, tensor: Any) -> None:
        """Refuse values that are not plain tensors, and shapes that exceed the bytes of the file."""
        if not isinstance(tensor, self._torch.Tensor) or tensor.layout != self._torch.strided:
            raise CheckpointError(f"{path}: {name} is not a plain tensor")
        if prod(tensor.shape) * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise CheckpointError(f"{path}: tensor {name} of shape {list(tensor.shape)} repeats its elements")

    def read(self, piece: Piece, out: Float32Array) -> None:
        """Fill `out` with the piece's values; binary32 represents all types exactly except float64."""
        if _size_and_times(self._path) != self._before:  # the mapping of a shorter file ends the process
            raise CheckpointError(f"{self._path} changed during the export: run the command again")
        self._torch.from_numpy(out).copy_(piece.of(self._state[piece.name]))

    def close(self) -> None:
        """Unmap the file."""
        del self._state


def _size_and_times(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
