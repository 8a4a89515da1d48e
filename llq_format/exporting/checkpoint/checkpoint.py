"""A checkpoint for the exporter: a model, its tensors by their LLQ names, and its tokenizer.

It joins three parts that are independent of each other:

* an `Architecture` says which tensors of the checkpoint make up which tensor of the package,
* a `TensorSource` reads tensors of the checkpoint by the names that it has there,
* `Checkpoint` checks the source against the architecture, and stacks the tensors that the source reads.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from llq_format.exporting.checkpoint.absent_tensors import cause_of_absence
from llq_format.exporting.checkpoint.warnings import ExportWarning
from llq_format.metadata.tokenizer import TokenizerFiles

Float32Array = npt.NDArray[np.float32]


class CheckpointError(ValueError):
    """A checkpoint that cannot be exported; the message names the found and expected values and the fix."""


@dataclass(frozen=True)
class Stack:
    """The position of a matrix in a tensor of stacked matrices.

    The tensor has shape [length, rows, cols], or [length, cols, rows] if its matrices are `transposed`.
    """

    index: int
    length: int
    transposed: bool


@dataclass(frozen=True)
class Rows:
    """The position of rows in a tensor of `length` rows, which the checkpoint fuses."""

    first: int
    length: int


@dataclass(frozen=True)
class Piece:
    """A tensor of the checkpoint that holds all or some rows of a tensor of the package.

    `rotary_heads` is the number of heads of a q or k projection, whose rows some formats reorder for RoPE.
    With a `stack` the piece, of `shape` [rows, cols], is one matrix of the tensor; with `rows` it is some of
    its rows. The tensor of the package has the stored values times `factor`, each product rounded once.
    """

    name: str
    shape: tuple[int, ...]
    rotary_heads: int | None = None
    stack: Stack | None = None
    rows: Rows | None = None
    factor: float = 1.0

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """The shape of the whole tensor in the checkpoint."""
        if self.rows is not None:
            return (self.rows.length, *self.shape[1:])
        if self.stack is None:
            return self.shape
        return (self.stack.length, *(reversed(self.shape) if self.stack.transposed else self.shape))

    def of(self, tensor: Any) -> Any:
        """Return the piece as a view of the whole tensor, an array of numpy or torch."""
        if self.rows is not None:
            return tensor[self.rows.first : self.rows.first + self.shape[0]]
        if self.stack is None:
            return tensor
        matrix = tensor[self.stack.index]
        return matrix.T if self.stack.transposed else matrix


@dataclass(frozen=True)
class Architecture:
    """The architecture that a family of models derives from a checkpoint's configuration.

    `model` is the object of that name in metadata.json, whose `attention` may contain the choices of
    `LLQ_attention_affine` as well. `pieces` has, by the LLQ name of a tensor and in
    canonical order, the tensors whose rows make it up. `inv_freq`, float32 [head_dim / 2], is
    `rope.inv_freq`. `ignored` are regular expressions of tensors that a checkpoint may hold and the model
    does not need.
    """

    name: str
    model: dict[str, Any]
    pieces: Mapping[str, tuple[Piece, ...]]
    inv_freq: Float32Array
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True)
class StoredTensor:
    """The description of a tensor in the header of a file; `dtype` is the name in the file format."""

    file: str
    dtype: str
    shape: tuple[int, ...]


class TensorSource(Protocol):
    """Tensors in files, readable one by one."""

    format: str
    """`safetensors`, `pytorch` or `gguf`."""

    dtypes: frozenset[str]
    """The types that `read` supports."""

    @property
    def tensors(self) -> Mapping[str, StoredTensor]:
        """Every tensor of the files, by its name in the files."""

    def read(self, piece: Piece, out: Float32Array) -> None:
        """Fill `out`, of the piece's shape and C-contiguous, with its values."""

    def close(self) -> None:
        """Close the files."""


class Checkpoint:
    """An open checkpoint; a context manager."""

    model: dict[str, Any]
    """The object `model` of metadata.json, complete, with the choices of `LLQ_attention_affine`."""

    tokenizer: TokenizerFiles | None
    """None if the checkpoint has no tokenizer, or if the tokenizer was not requested."""

    warnings: tuple[ExportWarning, ...]
    """What a user should know of this checkpoint, in the order of ids."""

    provenance: dict[str, Any]
    """`format`, `architecture`, and `tensor_types`: the number of tensors of each type."""

    def __init__(
        self,
        architecture: Architecture,
        source: TensorSource,
        tokenizer: TokenizerFiles | None,
        warnings: Iterable[ExportWarning] = (),
    ) -> None:
        """Check that `source` contains the tensors of `architecture`; raises CheckpointError."""
        _check_tensors(architecture, source)
        self._architecture = architecture
        self._source: TensorSource | None = source
        self.model = architecture.model
        self.tokenizer = tokenizer
        self.warnings = tuple(sorted(warnings, key=lambda found: found.id))
        names = {piece.name for piece in _all_pieces(architecture)}
        types = Counter(source.tensors[name].dtype for name in names)
        self.provenance = {
            "format": source.format,
            "architecture": architecture.name,
            "tensor_types": dict(sorted(types.items())),
        }

    def load(self, name: str) -> Float32Array:
        """Return the tensor of that LLQ name: float32, C-contiguous, in the model's shape.

        The array is the caller's own. NaN and infinities are returned unchanged. Raises KeyError for a
        name that is not in the model.
        """
        if self._source is None:
            raise ValueError("the checkpoint is closed")
        if name == "rope.inv_freq":
            return self._architecture.inv_freq.copy()
        pieces = self._architecture.pieces[name]
        rows = sum(piece.shape[0] for piece in pieces)
        tensor = np.empty((rows, *pieces[0].shape[1:]), np.float32)
        first = 0
        with np.errstate(all="ignore"):
            for piece in pieces:
                values = tensor[first : first + piece.shape[0]]
                self._source.read(piece, values)
                if piece.factor != 1:
                    factor = np.float64(piece.factor)
                    np.multiply(values, factor, out=values, dtype=np.float64, casting="same_kind")
                first += piece.shape[0]
        return tensor

    def close(self) -> None:
        """Close the files; `load` fails afterwards."""
        if self._source is not None:
            self._source.close()
            self._source = None

    def __enter__(self) -> Self:
        """Return the checkpoint."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the checkpoint."""
        self.close()


def check_piece(piece: Piece, source: TensorSource) -> None:
    """Raise CheckpointError unless `source` contains the tensor in this shape and in a supported type."""
    stored = source.tensors.get(piece.name)
    if stored is None:
        raise CheckpointError(
            f"tensor {piece.name} not found, but the configuration requires it: "
            f"{cause_of_absence(piece.name, source.tensors)}",
        )
    where = f"{stored.file}: tensor {piece.name}"
    if stored.shape != piece.stored_shape:
        raise CheckpointError(
            f"{where} has shape {list(stored.shape)}, "
            f"but its configuration requires {list(piece.stored_shape)}",
        )
    if stored.dtype not in source.dtypes:
        raise CheckpointError(
            f"{where} has type {stored.dtype}; supported are {', '.join(sorted(source.dtypes))}: "
            "start from a checkpoint in one of these",
        )


def _all_pieces(architecture: Architecture) -> Iterator[Piece]:
    for pieces in architecture.pieces.values():
        yield from pieces


def _check_tensors(architecture: Architecture, source: TensorSource) -> None:
    """Compare the headers of the files with the tensors of the model, before any weight is read."""
    required = set()
    for piece in _all_pieces(architecture):
        required.add(piece.name)
        check_piece(piece, source)
    for name in source.tensors:
        if name not in required and not any(re.fullmatch(ignored, name) for ignored in architecture.ignored):
            raise CheckpointError(
                f"{source.tensors[name].file}: tensor {name} is unknown in a {architecture.name} "
                "model; without it, the model would compute different results",
            )
