"""The size of a package, by kind of tensor."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any, get_args

from llq_format.format.layout import Dtype
from llq_format.metadata.metadata import Metadata, TensorEntry


@dataclass(frozen=True, slots=True)
class Size:
    """The number of tensors of one kind, of their weights and of their bytes in shards."""

    kind: str
    tensors: int
    weights: int
    byte_length: int

    @property
    def bits_per_weight(self) -> float:
        """Stored bits per weight, including padding and scales."""
        return 8 * self.byte_length / self.weights

    def to_json(self) -> dict[str, Any]:
        """Return the members of the size by name."""
        return {
            "kind": self.kind,
            "tensors": self.tensors,
            "weights": self.weights,
            "byte_length": self.byte_length,
            "bits_per_weight": round(self.bits_per_weight, 4),
        }


def tensor_bytes(tensor: TensorEntry) -> int:
    """Return the bytes of a tensor's parts."""
    return sum(part.byte_length for part in tensor.parts)


def sizes_by_kind(metadata: Metadata) -> list[Size]:
    """Return the size of each dtype that the package uses."""
    sizes = [
        _size(dtype, (t for t in metadata.tensors if t.dtype == dtype), overhead=0)
        for dtype in get_args(Dtype)
    ]
    return [size for size in sizes if size.tensors]


def total_size(metadata: Metadata) -> Size:
    """Return the size of all shards, including their preambles."""
    payload_bytes = sum(tensor_bytes(tensor) for tensor in metadata.tensors)
    return _size(
        "total",
        metadata.tensors,
        overhead=sum(shard.byte_length for shard in metadata.shards) - payload_bytes,
    )


def _size(kind: str, tensors: Iterable[TensorEntry], overhead: int) -> Size:
    entries = list(tensors)
    weights = sum(prod(tensor.shape) for tensor in entries)
    return Size(kind, len(entries), weights, sum(map(tensor_bytes, entries)) + overhead)
