"""Tensors as the values that the declarations of the layout build and parse."""

from typing import Any

import numpy as np

from llq_format import PackedTensor, unpack
from tests.support.invented_packages import Tensor


def value_of(tensor: Tensor, offset: int) -> dict[str, Any]:
    """Return the declaration's value for a tensor in one part at byte `offset` of a shard."""
    if not isinstance(tensor, PackedTensor):
        return {"data": tensor.reshape(-1).tolist()}
    value: dict[str, Any] = {"slot": {"num_blocks": len(tensor.scales), "offset": offset + 256}}
    value["scale"] = tensor.scales.tolist()
    if tensor.zero_points is not None:
        value["zero_point"] = tensor.zero_points.tolist()
    return {**value, "packed": list(unpack(tensor.packed))}


def arrays_of(tensor: Tensor) -> dict[str, bytes]:
    """Return the bytes of a tensor's arrays by section, of `packed` the codes."""
    if not isinstance(tensor, PackedTensor):
        return {"data": tensor.tobytes()}
    arrays = {"scale": tensor.scales.tobytes(), "packed": unpack(tensor.packed).tobytes()}
    return arrays if tensor.zero_points is None else {**arrays, "zero_point": tensor.zero_points.tobytes()}


def parsed_arrays(part: Any, dtype: str) -> dict[str, bytes]:
    """Return the value of a parsed part."""
    dtypes = {"scale": "<f2", "zero_point": "i1", "packed": "u1", "data": "<f2" if dtype == "f16" else "<f4"}
    return {name: np.array(part[name], dtypes[name]).tobytes() for name in dtypes if name in part}
