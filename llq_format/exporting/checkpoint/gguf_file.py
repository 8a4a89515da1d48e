"""A GGUF file, through the reader of the gguf package; its bytes are read by position.

Rows of the q and k projections may be in a different order than in a Hugging Face checkpoint, where RoPE
rotates elements (i, i + D/2) of a head of width D. Conversion to GGUF moves them to (2i, 2i + 1) in
architectures for which ggml rotates neighbours; `read` moves them back in pieces with `rotary_heads`.
"""

from functools import cache
from pathlib import Path
from struct import Struct
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFReader, GGUFValueType
from gguf.gguf_reader import ReaderField
from gguf.quants import dequantize

from llq_format.exporting.checkpoint.checkpoint import CheckpointError, Float32Array, Piece, StoredTensor
from llq_format.exporting.checkpoint.keys import Keys
from llq_format.exporting.checkpoint.stored_bytes import StoredBytes

MAGIC = b"GGUF"

_LENGTH = Struct("<Q")

_ELEMENTS_AT_A_TIME = 2**20
"""Values to dequantize at a time: 4 MiB of float32, and a few times that amount inside the gguf package."""

_WINDOW = 2**20
"""Bytes of a header to read at a time."""

_MOST_READS = 150_000
"""Maximum number of reads in a header; each takes about 400 bytes of memory.

A tensor takes 7 reads, and a key 4: the largest models have some thousand tensors."""

_MOST_STRINGS = 4_000_000
"""Maximum number of strings in the arrays of a header. A vocabulary of 262,144 tokens has 800,000."""


class GgufFile:
    """A TensorSource over one file, and its metadata."""

    format = "gguf"

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
        self.dtypes = supported_types()
        self.tensors = {
            tensor.name: StoredTensor(
                path.name, tensor.tensor_type.name, tuple(map(int, reversed(tensor.shape)))
            )
            for tensor in reader.tensors
        }
        self._file = reader.file
        self._stored = {tensor.name: tensor for tensor in reader.tensors}

    def read(self, piece: Piece, out: Float32Array) -> None:
        """Fill `out` with the dequantized values, rows of q and k in the order of Hugging Face."""
        stored = self._stored[piece.name]
        data, kind = stored.data, stored.tensor_type
        rows_of_out = out.reshape(piece.shape[0] if len(piece.shape) > 1 else 1, -1)
        size, type_size = GGML_QUANT_SIZES[kind]
        chunk = _ELEMENTS_AT_A_TIME // size * type_size
        for row, values in self._file.rows(stored.data_offset, data.dtype, data.shape, piece, chunk):
            rows_of_out[row : row + len(values)] = dequantize(values, kind)
        if piece.rotary_heads is not None:
            _separate_halves(out, piece.rotary_heads)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@cache
def supported_types() -> frozenset[str]:
    """Return the names of the tensor types that the gguf package dequantizes."""
    names = set()
    for kind in GGMLQuantizationType:
        block = np.zeros((1, GGML_QUANT_SIZES[kind][1]), np.uint8)
        try:
            dequantize(block, kind)
        except NotImplementedError:
            continue
        names.add(kind.name)
    return frozenset(names)


class _BoundedReader(GGUFReader):
    """The reader of the gguf package, changed to refuse fields after the end of the file.

    It reads an array in one piece; the gguf package reads each element.
    """

    _reads = 0
    _strings = 0
    _header_read = False

    def __init__(self, path: Path) -> None:
        """Read the header."""
        self.file = StoredBytes(path)
        self._window_start, self._window = 0, np.empty(0, np.uint8)
        try:
            super().__init__(path)
        except BaseException:
            self.file.close()
            raise

    @property
    def data(self) -> Any:
        """The mapping of the gguf package, which is not used: a file may become shorter."""
        raise AttributeError("read the file by position")

    @data.setter
    def data(self, _mapping: Any) -> None:
        """Ignore the mapping."""

    def _build_tensors(self, start_offs: int, fields: list[ReaderField]) -> None:
        """Describe the tensors; their data are arrays of the right type and shape without values."""
        self._header_read = True
        super()._build_tensors(start_offs, fields)

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
        little = np.dtype(dtype).newbyteorder("<")
        if start + count * little.itemsize > self.file.size:
            raise CheckpointError(f"ends early, at byte {self.file.size}: download it again")
        if self._header_read:
            return np.broadcast_to(np.zeros((), little), (count,))
        return self._bytes(start, count * little.itemsize).view(little)

    def _bytes(self, start: int, size: int) -> npt.NDArray[np.uint8]:
        """Return bytes of the header, which is read in pieces."""
        first = start - self._window_start
        if first < 0 or first + size > len(self._window):
            length = max(size, min(_WINDOW, self.file.size - start))
            self._window_start, self._window, first = start, self.file.read(start, length), 0
        return self._window[first : first + size].copy()

    def _get_field_parts(
        self, orig_offs: int, raw_type: int
    ) -> tuple[int, list[npt.NDArray[Any]], list[int], list[GGUFValueType]]:
        """Return a value's length in bytes, its parts, the index of its contents among them, its types."""
        if GGUFValueType(raw_type) is not GGUFValueType.ARRAY:
            return super()._get_field_parts(orig_offs, raw_type)
        kind, count = self._get(orig_offs, np.uint32), self._get(orig_offs + 4, np.uint64)
        element = GGUFValueType(kind[0])
        if element is GGUFValueType.ARRAY:
            raise CheckpointError("has an array of arrays, which GGUF does not define")
        start, length = orig_offs + 12, int(count[0])
        if element is GGUFValueType.STRING:
            elements = self._get(start, np.uint8, self._length_of_strings(start, length))
        else:
            elements = self._get(start, self.gguf_scalar_to_np[element], length)
        return 12 + elements.nbytes, [kind, count, elements], [2], [GGUFValueType.ARRAY, element]

    def _length_of_strings(self, start: int, count: int) -> int:
        """Return the number of bytes of `count` strings; each begins with its length in 64 bits."""
        self._strings += count
        if self._strings > _MOST_STRINGS:
            raise CheckpointError(f"has a header of more than {_MOST_STRINGS} strings")
        size = self.file.size
        window, first = b"", start
        offset = start
        for _ in range(count):
            if offset + 8 > size:
                raise CheckpointError(f"ends early, at byte {size}: download it again")
            if offset + 8 - first > len(window):
                window, first = self.file.read(offset, min(_WINDOW, size - offset)).tobytes(), offset
            offset += 8 + int(_LENGTH.unpack_from(window, offset - first)[0])
        return offset - start


def _contents(field: ReaderField) -> Any:
    """Return the value of a field; a binary32 value is returned as its shortest decimal, such as 1e-05."""
    if field.types == [GGUFValueType.ARRAY, GGUFValueType.STRING]:
        return _strings(field.parts[field.data[0]].tobytes())
    contents = field.contents()
    if field.types == [GGUFValueType.FLOAT32]:
        return float(str(np.float32(contents)))
    return contents


def _strings(data: bytes) -> list[str]:
    strings = []
    offset = 0
    while offset < len(data):
        start = offset + 8
        offset = start + _LENGTH.unpack_from(data, offset)[0]
        strings.append(data[start:offset].decode("utf-8"))
    return strings


def _separate_halves(matrix: Float32Array, heads: int) -> None:
    """Move rows 2i and 2i + 1 of each head to i and i + D/2, in place; float32 [heads · D, cols]."""
    for head in np.split(matrix, heads):
        pairs = head.reshape(len(head) // 2, 2, -1)  # (D/2, 2, cols)
        head[...] = pairs.swapaxes(0, 1).reshape(head.shape)
