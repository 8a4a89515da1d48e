"""Rounded layers in files next to the target, so that an interrupted export can resume."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llq_format.exporting.calibration.rounded_layers import RoundedLayer
from llq_format.exporting.checkpoint.split_names import parts
from llq_format.format.quantize import PackedTensor
from llq_format.package.atomic_replacement import replace_file
from llq_format.reference.batch import Floats

_KEY = "export.json"


class SavedLayers:
    """A directory with one file per layer, and the activations after the last saved layer.

    Each file is complete or absent. Files of an export with another key are removed.
    """

    def __init__(self, directory: Path, key: Mapping[str, Any]) -> None:
        """Reuse the layers of an interrupted export with an equal key, or start with none."""
        self.directory = directory
        text = json.dumps(key, sort_keys=True)
        key_file = directory / _KEY
        if not key_file.is_file() or key_file.read_text("utf-8") != text:
            self.remove()
            directory.mkdir(parents=True)
            with replace_file(key_file) as file:
                file.write(text.encode())

    def streams(self) -> tuple[int, Floats] | None:
        """Return the number of finished layers, and the activations after them or None."""
        files = sorted(self.directory.glob("streams-*.npy"))
        if not files:
            return None
        count = int(files[-1].stem.removeprefix("streams-"))
        return count, np.load(files[-1], allow_pickle=False)

    def layer(self, number: int) -> RoundedLayer:
        """Return a finished layer."""
        with np.load(self._file(number), allow_pickle=False) as arrays:
            names = dict.fromkeys(key.rsplit("/", 1)[0] for key in arrays)
            return {name: _tensor(name, arrays) for name in names}

    def save(self, number: int, layer: RoundedLayer, streams: Floats) -> None:
        """Save a layer and the activations after it, which replace the earlier activations."""
        arrays: dict[str, NDArray[Any]] = {}
        for name, tensor in layer.items():
            if isinstance(tensor, PackedTensor):
                arrays[f"{name}/shape"] = np.array(tensor.shape)
                arrays[f"{name}/scales"], arrays[f"{name}/packed"] = tensor.scales, tensor.packed
                if tensor.zero_points is not None:
                    arrays[f"{name}/zero_points"] = tensor.zero_points
            else:
                arrays[f"{name}/raw"] = tensor
        with replace_file(self._file(number)) as file:
            np.savez(file, allow_pickle=False, **arrays)
        with replace_file(self.directory / f"streams-{number + 1:05}.npy") as file:
            np.save(file, streams)
        (self.directory / f"streams-{number:05}.npy").unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the directory and its files. Raises FileExistsError if it contains other files."""
        if not os.path.lexists(self.directory):
            return
        names = {path.name for path in self.directory.iterdir()} if self.directory.is_dir() else {""}
        prefixes = ("layer-", "streams-", _KEY, ".layer-", ".streams-", f".{_KEY}")
        if self.directory.is_symlink() or not all(name.startswith(prefixes) for name in names):
            raise FileExistsError(
                f"{self.directory} contains files that are not saved layers: remove it manually"
            )
        shutil.rmtree(self.directory)

    def _file(self, number: int) -> Path:
        return self.directory / f"layer-{number:05}.npz"


def source_sha256(path: Path) -> str:
    """Return the SHA-256 of a checkpoint: of the bytes of its file, or of a list of its files.

    The list has a line `<sha256>  <name>` for each file, sorted by name: each part of a model in several GGUF
    files, or each file of a directory except hidden ones.
    """
    if path.is_file():
        files = parts(path)
        if len(files) == 1:
            return _sha256(path)
    else:
        files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    lines = "".join(f"{_sha256(file)}  {file.name}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _tensor(name: str, arrays: Mapping[str, NDArray[Any]]) -> PackedTensor | NDArray[np.float32]:
    if f"{name}/raw" in arrays:
        return np.asarray(arrays[f"{name}/raw"], np.float32)
    rows, cols = arrays[f"{name}/shape"].tolist()
    zeros = arrays.get(f"{name}/zero_points")
    return PackedTensor((rows, cols), arrays[f"{name}/scales"], zeros, arrays[f"{name}/packed"])
