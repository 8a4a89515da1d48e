"""The placement of parts: the placement procedure (spec: Canonical encoding, Placement; rule LLQ-CANON-4)."""

from collections.abc import Iterable
from dataclasses import dataclass

from llq_format.format.layout import BLOCK, is_int4, rows_cols
from llq_format.format.sections import part_bytes
from llq_format.format.shard import PREAMBLE_BYTES


class ShardLimitError(ValueError):
    """Not even one block row (INT4) or row (raw) of a tensor fits into an empty shard."""

    def __init__(self, tensor: str, unit: str, columns: int, shard_limit: int) -> None:
        """Make the error of one `unit` (`row`, `block row`) of `columns` columns of a tensor."""
        super().__init__(
            f"tensor {tensor}: one {unit} of {columns} columns does not fit into a shard of {shard_limit} "
            "bytes; raise shard_limit"
        )
        self.tensor, self.unit, self.columns = tensor, unit, columns


@dataclass(frozen=True, slots=True)
class Placed:
    """The place of a part."""

    shard: int
    offset: int
    byte_length: int
    first_row: int
    num_rows: int


@dataclass(frozen=True, slots=True)
class Placement:
    """The places of all parts: the parts of each tensor and the byte length of each shard."""

    parts: tuple[tuple[Placed, ...], ...]
    shard_bytes: tuple[int, ...]


def place(tensors: Iterable[tuple[str, str, tuple[int, ...]]], shard_limit: int) -> Placement:
    """Place tensors, given as (name, dtype, shape) in canonical order.

    Raises ShardLimitError if a tensor cannot be stored with this limit.
    """
    lengths: list[int] = []
    placed: list[tuple[Placed, ...]] = []
    for name, dtype, shape in tensors:
        rows, cols = rows_cols(shape)
        if not lengths or (
            lengths[-1] > PREAMBLE_BYTES and lengths[-1] + part_bytes(dtype, rows, cols) > shard_limit
        ):
            lengths.append(PREAMBLE_BYTES)
        parts: list[Placed] = []
        first_row = 0
        while first_row < rows:
            if first_row > 0:
                lengths.append(PREAMBLE_BYTES)
            n = _rows_that_fit(dtype, rows - first_row, cols, shard_limit - lengths[-1])
            if n == 0:
                unit = "block row" if is_int4(dtype) else "row"
                raise ShardLimitError(name, unit, cols, shard_limit)
            size = part_bytes(dtype, n, cols)
            parts.append(Placed(len(lengths) - 1, lengths[-1], size, first_row, n))
            lengths[-1] += size
            first_row += n
        placed.append(tuple(parts))
    return Placement(tuple(placed), tuple(lengths))


def _rows_that_fit(dtype: str, rows: int, cols: int, room: int) -> int:
    """Return the maximum number of rows that fit: all rows, or a multiple of the unit, or 0."""
    if part_bytes(dtype, rows, cols) <= room:
        return rows
    unit = BLOCK if is_int4(dtype) else 1
    low, high = 0, (rows - 1) // unit  # in units; part_bytes grows with rows, so halve the interval
    while low < high:
        middle = (low + high + 1) // 2
        if part_bytes(dtype, middle * unit, cols) <= room:
            low = middle
        else:
            high = middle - 1
    return low * unit
