"""A model in one GGUF file, or in several: NAME-00001-of-0000N.gguf and so on.

The first file has all keys of the model. Every file states the number of files and its place among them.
"""

from pathlib import Path

from llq_format.exporting.checkpoint.checkpoint import (
    CheckpointError,
    Float32Array,
    Piece,
    StoredTensor,
)
from llq_format.exporting.checkpoint.gguf_file import GgufFile
from llq_format.exporting.checkpoint.keys import Keys
from llq_format.exporting.checkpoint.split_names import parts

_MOST_PARTS = 2**16


class GgufParts:
    """A TensorSource over the files of a model, and the metadata of the first."""

    format = "gguf"

    def __init__(self, path: Path) -> None:
        """Open the file and, if it is one of several, the others; raises CheckpointError."""
        files = [GgufFile(part) for part in parts(path)]
        self.metadata: Keys = files[0].metadata
        self.dtypes = files[0].dtypes
        self.tensors: dict[str, StoredTensor] = {}
        self._file_of: dict[str, GgufFile] = {}
        for number, file in enumerate(files):
            self._check_place(file.metadata, number, len(files))
            for name, tensor in file.tensors.items():
                if name in self.tensors:
                    raise CheckpointError(
                        f"{tensor.file}: tensor {name} is in {self.tensors[name].file}, too"
                    )
                self.tensors[name] = tensor
                self._file_of[name] = file
        total = self.metadata.integer("split.tensors.count", 0, 2**31 - 1, len(self.tensors))
        if total != len(self.tensors):
            raise self.metadata.error(
                "split.tensors.count",
                f"is {total}, but the files have {len(self.tensors)} tensors: are all files of one model?",
            )

    def _check_place(self, metadata: Keys, number: int, count: int) -> None:
        """Refuse a file whose place among the files is not what its name states."""
        stated = metadata.integer("split.count", 0, _MOST_PARTS, 1)
        if max(stated, 1) != count:
            raise metadata.error(
                "split.count",
                f"is {stated}, but the name denotes {count} files: "
                "name the parts as NAME-00001-of-0000N.gguf, or merge them with llama-gguf-split --merge",
            )
        place = metadata.integer("split.no", 0, _MOST_PARTS, 0)
        if place != number:
            raise metadata.error("split.no", f"is {place}, but the name denotes {number}: rename the file")

    def read(self, piece: Piece, out: Float32Array) -> None:
        """Fill `out` with the piece's values."""
        self._file_of[piece.name].read(piece, out)

    def close(self) -> None:
        """Close every file."""
        for file in set(self._file_of.values()):
            file.close()
