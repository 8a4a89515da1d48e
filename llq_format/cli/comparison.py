"""The differences between two packages."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llq_format.cli.failures import about
from llq_format.cli.sizes import tensor_bytes
from llq_format.format.dequantize import ZERO_POINT_SYMMETRIC
from llq_format.format.layout import BLOCK, block_grid, is_int4
from llq_format.format.quantize import PackedTensor
from llq_format.metadata.metadata import Metadata, TensorEntry
from llq_format.package.reader import Package
from llq_format.validation.package_files import PackageFile

ABSENT = "absent"
_BAND = 1024  # rows compared at a time


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the metadata that differs; its values are JSON values or `absent`."""

    pointer: str
    a: Any
    b: Any


@dataclass(frozen=True, slots=True)
class Weights:
    """Differences of the decoded weights of two tensors of equal shape: number, maximum and its place."""

    differing: int
    total: int
    largest: float
    row: int
    col: int


@dataclass(frozen=True, slots=True)
class TensorDifference:
    """Differences of a tensor of both packages; `blocks` maps each kind of difference to block numbers."""

    name: str
    members: tuple[Member, ...]
    weights: Weights | None
    blocks: dict[str, list[int]]


@dataclass(frozen=True, slots=True)
class FileDifference:
    """A file that both packages list with the same hash, and whose bytes differ; offset: of the first."""

    file: str
    offset: int
    differing: int


def file_differences(a: Package, b: Package, advance: Callable[[int], None]) -> Iterator[FileDifference]:
    """Yield the differences between the bytes of files of packages with equal digests.

    Raises LLQError if a file is shorter than the metadata states.
    """
    for entry in a.metadata.files:
        offset, differing = -1, 0
        with _opened(a, entry.file) as left, _opened(b, entry.file) as right:
            position = 0
            for piece in left.chunks(0, entry.byte_length):
                other = right.read(position, len(piece))
                if piece != other:
                    unlike = np.frombuffer(piece, np.uint8) != np.frombuffer(other, np.uint8)
                    offset = position + int(unlike.argmax()) if offset < 0 else offset
                    differing += int(unlike.sum())
                position += len(piece)
                advance(len(piece))
        if differing:
            yield FileDifference(entry.file, offset, differing)


def metadata_differences(a: Metadata, b: Metadata) -> list[Member]:
    """Return the members that differ, except digest, shards and tensors: these are derived."""
    left, right = a.to_json(), b.to_json()
    for derived in ("digest", "shards", "tensors"):
        left.pop(derived), right.pop(derived)
    return list(_members(left, right, ""))


def tensor_differences(
    a: Package, b: Package, advance: Callable[[int], None], *, index_only: bool = False
) -> Iterator[TensorDifference | None]:
    """Yield the difference of each common tensor, or None. Every compared byte is checked.

    index_only: compare the hashes in the metadata, and read no shard.
    """
    for name in (name for name in a if name in b):
        yield tensor_difference(a, b, name, index_only=index_only)
        advance(tensor_bytes(a.entry(name)))


def tensor_difference(
    a: Package, b: Package, name: str, *, index_only: bool = False
) -> TensorDifference | None:
    """Return the difference of a tensor, or None."""
    entry_a, right = a.entry(name), b.entry(name)
    members = tuple(_members(_description(entry_a), _description(right), ""))
    if index_only:
        same = [part.sha256 for part in entry_a.parts] == [part.sha256 for part in right.parts]
        return None if same and not members else TensorDifference(name, members, None, {})
    if entry_a.shape != right.shape:
        return TensorDifference(name, members, None, {})
    blocks: dict[str, list[int]] = {}
    if is_int4(entry_a.dtype) and is_int4(right.dtype):
        packed = [_packed(package, name) for package in (a, b)]
        blocks = _blocks(*packed)
        bands = _packed_bands(packed, entry_a.rows, entry_a.cols, blocks)
    else:
        bands = _raw_bands([_decoded(package, name) for package in (a, b)], entry_a)
    weights = _weights(bands, prod(entry_a.shape))
    if not members and not weights.differing and not blocks:
        return None
    return TensorDifference(name, members, weights, blocks)


def _description(tensor: TensorEntry) -> dict[str, Any]:
    described = {"dtype": tensor.dtype, "shape": list(tensor.shape)}
    optional = {"extensions": tensor.extensions, "extras": tensor.extras}
    return described | {name: value for name, value in optional.items() if value is not None}


def _members(a: Any, b: Any, pointer: str) -> Iterator[Member]:
    """Yield the innermost members in which two JSON values differ."""
    if isinstance(a, dict) and isinstance(b, dict):
        for name in sorted(a.keys() | b.keys()):
            step = name.replace("~", "~0").replace("/", "~1")
            yield from _members(a.get(name, ABSENT), b.get(name, ABSENT), f"{pointer}/{step}")
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for index, (left, right) in enumerate(zip(a, b, strict=True)):
            yield from _members(left, right, f"{pointer}/{index}")
    elif a != b or isinstance(a, bool) != isinstance(b, bool):
        yield Member(pointer, a, b)


def _opened(package: Package, name: str) -> PackageFile:
    with about(package.directory):
        return PackageFile(package.directory / name)


def _packed(package: Package, name: str) -> PackedTensor:
    with about(package.directory):
        return package.get_packed(name)


def _decoded(package: Package, name: str) -> NDArray[np.float32]:
    with about(package.directory):
        return package.get_tensor(name)


def _blocks(a: PackedTensor, b: PackedTensor) -> dict[str, list[int]]:
    """Return the numbers of the blocks that differ, by kind of difference."""
    zeros = [
        np.full(len(tensor.scales), ZERO_POINT_SYMMETRIC, np.int8)
        if tensor.zero_points is None
        else tensor.zero_points
        for tensor in (a, b)
    ]
    differing = {
        "scale": a.scales != b.scales,
        "zero_point": zeros[0] != zeros[1],
        "codes": np.array([not np.array_equal(x, y) for x, y in zip(a.packed, b.packed, strict=True)]),
    }
    return {kind: np.flatnonzero(where).tolist() for kind, where in differing.items() if where.any()}


Band = tuple[int, NDArray[np.float32], NDArray[np.float32]]
"""The number of the first row, and these rows of both tensors, float32 [rows, cols]."""


def _packed_bands(
    tensors: list[PackedTensor], rows: int, cols: int, blocks: dict[str, list[int]]
) -> Iterator[Band]:
    """Yield the decoded block rows in which a block differs."""
    across = block_grid(rows, cols)[1]
    for i in sorted({block // across for numbers in blocks.values() for block in numbers}):
        count = min(BLOCK, rows - i * BLOCK)
        left, right = (tensor.rows(i * BLOCK, count).dequantize() for tensor in tensors)
        yield i * BLOCK, left, right


def _raw_bands(arrays: list[NDArray[np.float32]], tensor: TensorEntry) -> Iterator[Band]:
    a, b = (array.reshape(tensor.rows, tensor.cols) for array in arrays)
    for first in range(0, tensor.rows, _BAND):
        yield first, a[first : first + _BAND], b[first : first + _BAND]


def _weights(bands: Iterator[Band], total: int) -> Weights:
    """Compare bit by bit: zeros of different sign count as different, with difference 0."""
    differing, largest, at = 0, 0.0, (0, 0)
    for first, a, b in bands:
        unlike = a.view(np.uint32) != b.view(np.uint32)
        if unlike.any():
            differing += int(unlike.sum())
            errors = np.abs(a.astype(np.float64) - b.astype(np.float64))
            where = int(errors.argmax())
            if errors.flat[where] > largest:
                row, col = divmod(where, a.shape[1])
                largest, at = float(errors.flat[where]), (first + row, col)
    return Weights(differing, total, largest, *at)
