"""The bytes of a part, from blocks or values; illegal values are refused (LLQ-WRITE-3)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llq_format.format.dequantize import LARGEST_WEIGHT, check_blocks, largest_weight
from llq_format.format.layout import (
    BLOCK,
    BLOCK_BYTES,
    Dtype,
    block_grid,
    is_int4,
    rows_cols,
)
from llq_format.format.packing import outside_mask
from llq_format.format.placement import Placed
from llq_format.format.quantize import PackedTensor, QuantizeError
from llq_format.format.record import SLOT
from llq_format.format.sections import sections
from llq_format.metadata.model import INV_FREQ
from llq_format.validation.payload import SCALE_BITS_MAX, SCALE_BITS_MIN

_ROWS_BYTES = 1 << 24  # raw tensors are requested in runs of rows of about this size
Rows = Callable[[int, int], "PackedTensor | NDArray[np.floating]"]
"""From (first_row, num_rows) to those rows of a tensor, packed or raw as the plan says."""


@dataclass(frozen=True, slots=True)
class TensorPlan:
    """A tensor to be written."""

    name: str
    dtype: Dtype
    shape: tuple[int, ...]
    extras: dict[str, Any] | None = None


def rows_of(plan: TensorPlan, tensor: PackedTensor | NDArray[np.floating]) -> Rows:
    """Return the rows function of a tensor in memory, whose shape must be the planned one."""
    _check_shape(plan, tuple(tensor.shape), plan.shape)
    if isinstance(tensor, PackedTensor):
        check_blocks(tensor.scales, tensor.zero_points, tensor.packed, tensor.shape)
        return tensor.rows
    array = tensor
    return lambda first_row, num_rows: array[first_row : first_row + num_rows]


def part_data(plan: TensorPlan, placed: Placed, rows: Rows, *, of_model: bool) -> Iterator[Any]:
    """Yield the bytes of a part in order, sections padded to 256; `of_model` is LLQ-MODEL-6's condition.

    Raises QuantizeError for illegal values, TypeError or ValueError for rows of another kind or shape.
    """
    try:
        if is_int4(plan.dtype):
            yield from _record(plan, placed, rows)
        else:
            yield from _raw(plan, placed, rows, of_model=of_model)
    except QuantizeError as error:
        raise QuantizeError(f"tensor {plan.name!r}, {error}") from error


def _record(plan: TensorPlan, placed: Placed, rows: Rows) -> Iterator[Any]:
    try:
        packed = rows(placed.first_row, placed.num_rows)
    except QuantizeError as error:
        raise QuantizeError(f"in the rows from {placed.first_row}: {error}") from error
    if not isinstance(packed, PackedTensor) or packed.dtype != plan.dtype:
        raise TypeError(
            f"tensor {plan.name!r} was planned as {plan.dtype}: pass a PackedTensor of this dtype"
        )
    cols = rows_cols(plan.shape)[1]
    _check_shape(plan, tuple(packed.shape), (placed.num_rows, cols))
    check_blocks(packed.scales, packed.zero_points, packed.packed, packed.shape)
    _check_legal(packed)
    slot, *spans = sections(plan.dtype, placed.num_rows, cols)
    yield SLOT.build({"num_blocks": len(packed.scales), "offset": placed.offset + spans[0].offset})
    yield bytes(slot.end - slot.size)
    arrays = {"scale": packed.scales, "zero_point": packed.zero_points, "packed": packed.packed}
    for span in spans:
        yield np.ascontiguousarray(arrays[span.name], span.dtype).data.cast("B")
        yield bytes(span.end - span.offset - span.size)


def _raw(plan: TensorPlan, placed: Placed, rows: Rows, *, of_model: bool) -> Iterator[Any]:
    """Yield the values as little-endian bytes, a run of rows at a time, then the padding."""
    cols = rows_cols(plan.shape)[1]
    (span,) = sections(plan.dtype, placed.num_rows, cols)
    run = max(1, _ROWS_BYTES // (cols * span.item_bytes))
    end = placed.first_row + placed.num_rows
    for first in range(placed.first_row, end, run):
        count = min(run, end - first)
        values = rows(first, count)
        if isinstance(values, PackedTensor) or values.dtype.kind != "f":
            raise TypeError(f"tensor {plan.name!r} was planned as {plan.dtype}: pass an array of floats")
        _check_shape(plan, values.shape, (count, *plan.shape[1:]))
        with np.errstate(over="ignore"):  # overflow shows as an infinity, refused below
            stored = np.ascontiguousarray(values, span.dtype)
        _check_values(plan, first, values, stored, of_model=of_model)
        yield stored.data.cast("B")
    yield bytes(span.end - span.size)


def _check_shape(plan: TensorPlan, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if shape != expected:
        raise ValueError(
            f"tensor {plan.name!r} has shape {list(shape)}, but its planned shape is {list(expected)}"
        )


def _check_values(
    plan: TensorPlan,
    first_row: int,
    values: NDArray[np.floating],
    stored: NDArray[np.floating],
    *,
    of_model: bool,
) -> None:
    """Raise QuantizeError for values that break LLQ-RAW-2 or LLQ-MODEL-6."""
    valid, expected = np.isfinite(stored), f"finite {plan.dtype} value"
    if of_model and plan.name == INV_FREQ:
        valid, expected = (stored > 0) & (stored <= 1), "value above 0 and at most 1"
    if not valid.all():
        row, *col = np.argwhere(~valid)[0]
        where = f"row {first_row + row}" + (f", column {col[0]}" if col else "")
        raise QuantizeError(f"{where}: {values[(row, *col)]} is not a {expected}")


def _check_legal(packed: PackedTensor) -> None:
    """Raise QuantizeError for scales or codes that break LLQ-DEQ-1, LLQ-DEQ-2 or LLQ-PACK-1."""
    bits = packed.scales.astype(np.float16).view(np.uint16)
    if ((bits < SCALE_BITS_MIN) | (bits > SCALE_BITS_MAX)).any():
        raise QuantizeError("a scale is not a positive normal binary16")
    if (largest_weight(packed.scales, packed.zero_points) > LARGEST_WEIGHT).any():
        raise QuantizeError(f"the weights of a block exceed the maximum of {LARGEST_WEIGHT:.0f}")
    rows, cols = packed.shape
    blocks = packed.packed.reshape(*block_grid(rows, cols), BLOCK_BYTES)
    below, right = outside_mask(rows % BLOCK or BLOCK, BLOCK), outside_mask(BLOCK, cols % BLOCK or BLOCK)
    if (blocks[-1] & below).any() or (blocks[:, -1] & right).any():
        raise QuantizeError("a code outside the matrix is not 0")
