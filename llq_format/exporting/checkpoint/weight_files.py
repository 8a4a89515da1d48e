"""The weights of a Hugging Face directory: one file, or shards with an index or with numbers.

An index is a JSON object whose member `weight_map` maps the name of each tensor to the file that holds it.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from llq_format.exporting.checkpoint.checkpoint import (
    CheckpointError,
    Float32Array,
    Piece,
    StoredTensor,
    TensorSource,
)
from llq_format.exporting.checkpoint.keys import read_json
from llq_format.exporting.checkpoint.pytorch_file import PytorchFile
from llq_format.exporting.checkpoint.safetensors_file import SafetensorsFile

_OPENERS: dict[str, Callable[[Path], TensorSource]] = {
    "model.safetensors": SafetensorsFile,
    "pytorch_model.bin": PytorchFile,
}
"""In order of preference; the index of each is next to it, with `.index.json` at the end of the name."""


class NumberedShards:
    """A TensorSource over files whose names have their number and the number of all files."""

    def __init__(self, paths: Sequence[Path], opener: Callable[[Path], TensorSource]) -> None:
        """Open every file; raises CheckpointError for a tensor that two files have."""
        self._files = [opener(path) for path in paths]
        self._file_of: dict[str, TensorSource] = {}
        self.tensors: dict[str, StoredTensor] = {}
        for path, file in zip(paths, self._files, strict=True):
            for name, stored in file.tensors.items():
                if name in self.tensors:
                    raise CheckpointError(
                        f"{path}: tensor {name} is in {self.tensors[name].file} too: download the index"
                    )
                self.tensors[name] = stored
                self._file_of[name] = file
        self.format = self._files[0].format
        self.dtypes = self._files[0].dtypes

    def read(self, piece: Piece, out: Float32Array) -> None:
        """Fill `out` with the piece's values."""
        self._file_of[piece.name].read(piece, out)

    def close(self) -> None:
        """Close every file."""
        for file in self._files:
            file.close()


class Shards:
    """A TensorSource over the files that an index names."""

    def __init__(self, index: Path, opener: Callable[[Path], TensorSource]) -> None:
        """Open every file that the index names; raises CheckpointError."""
        self._files: dict[str, TensorSource] = {}
        self._file_of = _weight_map(index)
        self.tensors: dict[str, StoredTensor] = {}
        for name, file in self._file_of.items():
            if file not in self._files:
                path = index.parent / file
                if not path.is_file():
                    raise CheckpointError(f"{index}: file {file} not found: download it")
                self._files[file] = opener(path)
            if name not in self._files[file].tensors:
                raise CheckpointError(f"{index}: tensor {name} not found in {file}")
            self.tensors[name] = self._files[file].tensors[name]
        first = next(iter(self._files.values()))
        self.format = first.format
        self.dtypes = first.dtypes

    def read(self, piece: Piece, out: Float32Array) -> None:
        """Fill `out` with the piece's values."""
        self._files[self._file_of[piece.name]].read(piece, out)

    def close(self) -> None:
        """Close every file."""
        for file in self._files.values():
            file.close()


def open_weights(directory: Path) -> TensorSource:
    """Open the weights of a directory, safetensors before pickles; raises CheckpointError."""
    for file, opener in _OPENERS.items():
        path = directory / file
        if path.is_file():
            return opener(path)
        index = directory / f"{file}.index.json"
        if index.is_file():
            return Shards(index, opener)
        if paths := _numbered(directory, file):
            return NumberedShards(paths, opener)
    names = sorted(path.name for path in directory.iterdir())
    listing = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    raise CheckpointError(
        f"{directory}: no weights found: expected model.safetensors or pytorch_model.bin, "
        f"or one of these with .index.json; found {listing}",
    )


def _numbered(directory: Path, file: str) -> list[Path]:
    """Return the files `STEM-00001-of-0000N.SUFFIX`, all N of them; raises CheckpointError."""
    stem, suffix = file.split(".")
    pattern = re.compile(rf"{stem}-(\d{{5}})-of-(\d{{5}})\.{suffix}", re.ASCII)
    found = {path.name: match for path in directory.iterdir() if (match := pattern.fullmatch(path.name))}
    if not found:
        return []
    count = max(int(match[2]) for match in found.values())
    names = [f"{stem}-{n:05}-of-{count:05}.{suffix}" for n in range(1, count + 1)]
    for name in names:
        if name not in found:
            raise CheckpointError(f"{directory}: file {name} not found, and no index: download both")
    return [directory / name for name in names]


def _weight_map(index: Path) -> dict[str, str]:
    section = read_json(index).section("weight_map")
    if section is None or not section.values:
        raise CheckpointError(f"{index}: member weight_map not found")
    for name, file in section.values.items():
        if not isinstance(file, str) or file != Path(file).name or "\\" in file or "\0" in file:
            raise section.error(name, f"is {file!r}, not the name of a file in the directory")
    return dict(section.values)
