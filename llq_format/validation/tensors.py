"""Stage `tensors`: the list of tensors against the model and itself."""

import math
from collections.abc import Iterator

from llq_format.format.layout import Dtype, is_int4
from llq_format.metadata.findings import Finding, Place
from llq_format.metadata.metadata import Metadata
from llq_format.metadata.model import TensorRole, tensor_roles

_MAX_ELEMENTS = (1 << 53) - 1


def check_tensors(metadata: Metadata) -> list[Finding]:
    """Return the findings of stage `tensors`."""
    names = list(_names(metadata))
    roles: list[TensorRole] = []
    if metadata.model is not None:
        names += _membership(metadata, roles)
    if any(finding.rule == "LLQ-TENSOR-3" for finding in names):
        return names
    findings = [*names, *_shapes(metadata)]
    if roles:
        findings += _roles(metadata, {role.name: role for role in roles})
    expected = [role.name for role in roles] or sorted(tensor.name for tensor in metadata.tensors)
    for index, (tensor, name) in enumerate(zip(metadata.tensors, expected, strict=False)):
        if tensor.name != name:
            place = Place(pointer=f"/tensors/{index}/name")
            findings.append(Finding("tensor-out-of-order", place, {"name": tensor.name, "expected": name}))
            break  # later tensors are only shifted
    return findings


def storable(dtype: Dtype, shape: tuple[int, ...]) -> bool:
    """Return whether a shape satisfies LLQ-TENSOR-6 and LLQ-TENSOR-7: its parts then have a length."""
    return (not is_int4(dtype) or len(shape) == 2) and math.prod(shape) <= _MAX_ELEMENTS


def _names(metadata: Metadata) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for index, tensor in enumerate(metadata.tensors):
        first_index = first.setdefault(tensor.name.lower(), index)
        if first_index != index:
            place = Place(pointer=f"/tensors/{index}/name", tensor=tensor.name)
            name = metadata.tensors[first_index].name
            code = "tensor-name-repeated" if name == tensor.name else "tensor-name-differs-in-case"
            yield Finding(code, place, {"first": first_index, "first_name": name})


def _membership(metadata: Metadata, roles: list[TensorRole]) -> Iterator[Finding]:
    """Fill `roles`; yield missing and superfluous tensors. The table is cut off where too many are missing.

    The metadata of a hostile package may call for billions of tensors in a few bytes.
    """
    assert metadata.model is not None  # noqa: S101  # a condition of the caller, for the type checker
    indices = {tensor.name: index for index, tensor in enumerate(metadata.tensors)}
    missing = 0
    for role in tensor_roles(metadata.model):
        roles.append(role)
        if role.name not in indices:
            missing += 1
            yield Finding("tensor-missing", Place(pointer="/tensors"), {"name": role.name})
        if missing == _MOST_MISSING:
            return
    role_names = {role.name for role in roles}
    for name, index in indices.items():
        if name not in role_names:
            place = Place(pointer=f"/tensors/{index}/name", tensor=name)
            yield Finding("tensor-superfluous", place, {"name": name})


_MOST_MISSING = 100


def _shapes(metadata: Metadata) -> Iterator[Finding]:
    for index, tensor in enumerate(metadata.tensors):
        place = Place(pointer=f"/tensors/{index}/shape", tensor=tensor.name)
        if is_int4(tensor.dtype) and len(tensor.shape) != 2:
            yield Finding("int4-not-a-matrix", place, {"dimensions": len(tensor.shape)})
        elements = math.prod(tensor.shape)
        if elements > _MAX_ELEMENTS:
            yield Finding("tensor-too-large", place, {"elements": elements, "maximum": _MAX_ELEMENTS})


def _roles(metadata: Metadata, roles: dict[str, TensorRole]) -> Iterator[Finding]:
    for index, tensor in enumerate(metadata.tensors):
        role, pointer = roles[tensor.name], f"/tensors/{index}"
        if tensor.shape != role.shape:
            place = Place(pointer=f"{pointer}/shape", tensor=tensor.name)
            shapes = {"shape": list(tensor.shape), "expected": list(role.shape)}
            yield Finding("tensor-shape-wrong", place, shapes)
        if tensor.dtype not in role.dtypes:
            place = Place(pointer=f"{pointer}/dtype", tensor=tensor.name)
            dtypes = {"dtype": tensor.dtype, "expected": list(role.dtypes)}
            yield Finding("tensor-dtype-wrong", place, dtypes)
