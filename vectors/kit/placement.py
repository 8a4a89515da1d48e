"""The rows of each tensor in each shard: the placement procedure of chapter Canonical encoding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vectors.kit.tensor import Tensor

PREAMBLE = 256


@dataclass(frozen=True)
class Run:
    """Rows of a tensor that are one part, and the number of unused bytes before it: 0 in a good package."""

    tensor: Tensor
    first_row: int
    num_rows: int
    gap: int = 0


Layout = list[list[Run]]


def uncut(*tensors: Tensor) -> list[Run]:
    """Return a shard that holds uncut tensors, one after the other."""
    return [Run(tensor, 0, tensor.shape[0]) for tensor in tensors]


def place(tensors: list[Tensor], shard_limit: int) -> Layout:
    """Return the canonical layout."""
    layout: Layout = []
    position = shard_limit
    for tensor in tensors:
        rows = tensor.shape[0]
        if position + tensor.length(rows) > shard_limit and position > PREAMBLE:
            layout.append([])
            position = PREAMBLE
        first_row = 0
        while first_row < rows:
            if position > PREAMBLE and first_row > 0:
                layout.append([])
                position = PREAMBLE
            n = greatest(tensor, rows - first_row, shard_limit - position)
            layout[-1].append(Run(tensor, first_row, n))
            position += tensor.length(n)
            first_row += n
    return layout


def greatest(tensor: Tensor, rows: int, room: int) -> int:
    """Return how many of the remaining rows fit into the room: all, or else whole units."""
    if tensor.length(rows) <= room:
        return rows
    units = (rows - 1) // tensor.unit
    while tensor.length(units * tensor.unit) > room:
        units -= 1
    if units < 1:
        raise ValueError(f"{tensor.name} cannot be stored with this shard_limit")
    return units * tensor.unit
