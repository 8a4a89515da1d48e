"""A part of a raw tensor: values, then zeros (spec: Shards and records, Raw tensors)."""

from collections.abc import Callable
from typing import Any

from construct import Float16l, Float32l, Struct, this

from llq_format.format.declarations import section

_ITEMS = {"f16": Float16l, "f32": Float32l}
RAW_ITEM_BYTES = {dtype: item.sizeof() for dtype, item in _ITEMS.items()}
"""Bytes of a value, by dtype."""


def raw_tensor(dtype: str, num_values: int | Callable[[Any], Any]) -> Struct:
    """Return the declaration of a part (LLQ-RAW-1, LLQ-RAW-3).

    num_values: num_rows * cols, a number, or construct's expression for one.
    """
    docs = "The values of the part, row-major (LLQ-RAW-2, LLQ-RAW-3)."
    return Struct("data" / section(num_values, _ITEMS[dtype]) * docs)


RAW_TENSORS = {dtype: raw_tensor(dtype, this._params.num_values) for dtype in _ITEMS}  # noqa: SLF001  # construct's name
"""Parts of raw tensors by dtype, whose number of values is the parameter `num_values`."""
