"""A GGUF file, memory-mapped, through the reader of the gguf package.

Rows of the q and k projections are in a different order than in a Hugging Face checkpoint, where RoPE rotates
elements (i, i + D/2) of a head of width D. Conversion to GGUF moves them to (2i, 2i + 1), because ggml
rotates neighbours; `read` moves them back.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from gguf import GGUFReader, GGUFValueType
from gguf.gguf_reader import ReaderField
from gguf.quants import dequantize

from llq_format.exporting.checkpoint import gguf_tokenizer, llama, qwen
from llq_format.exporting.checkpoint.checkpoint import (
    Architecture,
    Checkpoint,
    CheckpointError,
    Float32Array,
    Piece,
    StoredTensor,
    TensorSource,
)
from llq_format.exporting.checkpoint.keys import Keys

FAMILIES: dict[str, Callable[[Keys, TensorSource], Architecture]] = {
    "llama": llama.from_gguf,
    "qwen2": qwen.from_gguf,
    "qwen3": qwen.from_gguf,
}
"""By `general.architecture`."""

_ELEMENTS_AT_A_TIME = 2**20
"""Values to dequantize at a time: 4 MiB of float32, and the same amount inside the gguf package."""

_MOST_READS = 4_000_000
"""Maximum number of reads in a header; each takes about 400 bytes of memory.

A vocabulary of 262,144 tokens needs 2 million reads."""


class GgufFile:
    """A TensorSource over one file, and its metadata."""

    format = "gguf"
    dtypes = frozenset({"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1"})

    def __init__(self, path: Path) -> None:
        """Read the header; raises CheckpointError."""
        try:
            with np.errstate(over="raise"):  # the reader adds offsets in 64 bits
                reader = _BoundedReader(path)
            self.metadata = Keys({key: _contents(field) for key, field in reader.fields.items()}, path.name)
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from error
        except (OSError, ValueError, LookupError, ArithmeticError, RecursionError) as error:
            raise CheckpointError(f"{path}: not a readable GGUF file: {error}") from error
        self.tensors = {
            tensor.name: StoredTensor(
                path.name, tensor.tensor_type.name, tuple(map(int, reversed(tensor.shape)))
            )
            for tensor in reader.tensors
        }
        self._stored = {tensor.name: (tensor.data, tensor.tensor_type) for tensor in reader.tensors}

    def read(self, piece: Piece, out: Float32Array) -> None:
        """Fill `out` with the dequantized values, rows of q and k in the order of Hugging Face."""
        data, kind = self._stored[piece.name]
        rows = piece.shape[0] if len(piece.shape) > 1 else 1
        stored_rows, rows_of_out = data.reshape(rows, -1), out.reshape(rows, -1)
        step = max(1, _ELEMENTS_AT_A_TIME // rows_of_out.shape[1])
        for first in range(0, rows, step):
            rows_of_out[first : first + step] = dequantize(stored_rows[first : first + step], kind)
        if piece.rotary_heads is not None:
            _separate_halves(out, piece.rotary_heads)

    def close(self) -> None:
        """Unmap the file once it has no more views."""
        self._stored = {}


class _BoundedReader(GGUFReader):
    """The reader of the gguf package, changed to refuse fields after the end of the file."""

    _reads = 0

    def _get(
        self,
        offset: int,
        dtype: npt.DTypeLike,
        count: int = 1,
        override_order: Literal["I", "S", "<"] | None = None,  # noqa: ARG002 (only little-endian files get so far)
    ) -> npt.NDArray[Any]:
        """Return `count` numbers at `offset`; the reader accesses the file only through this method."""
        if self.byte_order != "I":
            raise CheckpointError("is big-endian: convert the model to a little-endian GGUF file")
        self._reads += 1
        if self._reads > _MOST_READS:
            raise CheckpointError(f"has a header of more than {_MOST_READS} fields")
        start, count = int(offset), int(count)
        if start + count * np.dtype(dtype).itemsize > self.data.size:
            raise CheckpointError(f"ends early, at byte {self.data.size}: download it again")
        return np.frombuffer(self.data, np.dtype(dtype).newbyteorder("<"), count, start)


def open_gguf(path: Path, *, tokenizer: bool) -> Checkpoint:
    """Open a file; raises CheckpointError."""
    source = GgufFile(path)
    metadata = source.metadata
    name = metadata.string("general.architecture")
    if name not in FAMILIES:
        raise metadata.error(
            "general.architecture", f"is {name!r}; supported are {', '.join(map(repr, FAMILIES))}"
        )
    if metadata.integer("split.count", 0, 2**16, 1) > 1:
        raise metadata.error(
            "split.count", "is above 1: merge the files first, with llama-gguf-split --merge"
        )
    architecture = FAMILIES[name](metadata, source)
    files = gguf_tokenizer.read(metadata, architecture.model["vocab_size"]) if tokenizer else None
    return Checkpoint(architecture, source, files)


def _contents(field: ReaderField) -> Any:
    """Return the value of a field; a binary32 value is returned as its shortest decimal, such as 1e-05."""
    contents = field.contents()
    if field.types == [GGUFValueType.FLOAT32]:
        return float(str(np.float32(contents)))
    return contents


def _separate_halves(matrix: Float32Array, heads: int) -> None:
    """Move rows 2i and 2i + 1 of each head to i and i + D/2, in place; float32 [heads · D, cols]."""
    for head in np.split(matrix, heads):
        pairs = head.reshape(len(head) // 2, 2, -1)  # (D/2, 2, cols)
        head[...] = pairs.swapaxes(0, 1).reshape(head.shape)
