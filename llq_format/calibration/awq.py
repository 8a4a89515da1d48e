"""Activation-aware weight quantization (AWQ): columns scaled by the magnitude of their inputs.

The inverse is folded into what comes before: the norm, the rows of `up`, or the values. Rounding is to
nearest then, in ranges that are clipped where that is better for the inputs.

The scales are powers of the inputs' mean magnitudes and of the norms of the rows and columns concerned; those
powers are taken whose rounded matrices have the least error, a column's error weighted by its inputs' energy.
"""

from collections.abc import Mapping
from itertools import product

import numpy as np
from numpy.typing import NDArray

from llq_format.calibration.inputs import Inputs
from llq_format.layout import BLOCK
from llq_format.model import Model
from llq_format.quantize import Scheme
from llq_format.rounding import squared_errors
from llq_format.transforms.heads import output_of, values_of
from llq_format.transforms.transform import Array, Tensors, inputs_of, matrices_of

_POWERS = tuple(product((0, 0.25, 0.5, 0.75), (0, 0.5, 1)))
"""Of the inputs' magnitudes, and of one over the columns' norms."""

_PAIR_POWERS = tuple(product((0, 0.25, 0.5), ((0, 0), (0.5, 0), (0, 0.5), (0.5, 0.5), (0.25, 0.75), (0, 1))))
"""Of the inputs' magnitudes; of one over the columns' norms, and of the norms of the rows before."""

_BANDS = 8  # block rows of a matrix that stand for all of them in the search
_SMALLEST = 1e-4  # of the largest magnitude or norm: what is smaller counts as so much


def scale_columns(
    model: Model, number: int, tensors: Tensors, inputs: Mapping[str, Inputs], scheme: Scheme
) -> None:
    """Scale the columns of a layer's matrices, in place, so that its function stays as it is.

    inputs: of each matrix, recorded with the tensors as given; an expert without tokens is left out.
    Raises QuantizeError for a weight that no legal scale represents.
    """
    ffn = model.layers[number].ffn
    for prefix in matrices_of(ffn):
        if ffn.gated and f"{prefix}.down" in inputs:
            gate_up, down = tensors[f"{prefix}.gate_up"], tensors[f"{prefix}.down"]
            up = gate_up[down.shape[1] :]
            read = inputs[f"{prefix}.gate_up"], inputs[f"{prefix}.down"]
            scales = _pair_scales(up[None], down[:, None, None], read, scheme)[0]
            up /= scales[:, None]
            down *= scales
    values, output = values_of(model, tensors), output_of(model, tensors)
    read = inputs["attention.qkv"], inputs["attention.output"]
    scales = _pair_scales(values, output, read, scheme)  # one for all heads that read a value
    values /= scales[..., None]
    output *= scales[:, None]
    _scale_norm(tensors, "attention_norm", ["attention.qkv"], inputs["attention.qkv"], scheme)
    readers = inputs_of(ffn)
    _scale_norm(tensors, "ffn_norm", readers, inputs[readers[-1]], scheme)


def _scale_norm(tensors: Tensors, norm: str, readers: list[str], inputs: Inputs, scheme: Scheme) -> None:
    matrices = [_sample(tensors[name]) for name in readers if not name.endswith(".router")]
    magnitudes = _floored(inputs.magnitudes)
    norms = _floored(np.sqrt(sum(np.square(matrix).sum(axis=0) for matrix in matrices)))
    energies = np.diag(inputs.hessian)
    tried = []
    for a, b in _POWERS:
        scales = _centred(magnitudes**a / norms**b)
        errors = [_error(matrix, scales, energies, scheme) for matrix in matrices]
        tried.append((sum(errors), scales))
    scales = min(tried, key=lambda pair: pair[0])[1]
    for name in readers:
        tensors[name] *= scales
    tensors[norm] /= scales


def _pair_scales(first: Array, second: Array, inputs: tuple[Inputs, Inputs], scheme: Scheme) -> Array:
    """Return the scales of the columns of `second`, whose inverse the rows of `first` take.

    first: [heads, size, cols]; second, which reads each head in a group: [rows, heads, group, size]; inputs:
    of both. The error of a row counts as much as it moves the products of `second`, rows taken as
    independent. Returns float64 [heads, size].
    """
    heads, size, cols = first.shape
    before, after = inputs[0].hessian, np.diag(inputs[1].hessian).reshape(second.shape[1:])
    rows = first.reshape(-1, cols).astype(np.float32)
    made = np.einsum("rc,rc->r", rows, rows @ before.astype(np.float32)).astype(np.float64)
    moved = (np.square(second).sum(axis=0) * after).sum(axis=1).ravel()
    weights = np.divide(moved, made, out=np.zeros_like(moved), where=made > 0)  # [heads · size]
    energies, below = np.diag(before), after.ravel()
    columns = _floored(np.sqrt(np.square(second).sum(axis=(0, 2)))).ravel()
    norms = _floored(np.linalg.norm(first, axis=-1)).ravel()
    magnitudes = _floored(inputs[1].magnitudes.reshape(after.shape).mean(axis=1)).ravel()
    lower = _sample(second.reshape(len(second), -1))
    share = len(second) / len(lower)
    tried = []
    for a, (b, c) in _PAIR_POWERS:
        scales = _centred(magnitudes**a * norms**c / columns**b)
        spread = np.broadcast_to(scales.reshape(heads, 1, size), after.shape).ravel()
        upper = squared_errors((rows / scales[:, None]).astype(np.float32), energies, scheme)
        error = float(upper @ (weights * scales**2)) + share * _error(lower, spread, below, scheme)
        tried.append((error, scales))
    return np.asarray(min(tried, key=lambda pair: pair[0])[1]).reshape(heads, size)


def _error(matrix: NDArray[np.float32], scales: Array, energies: Array, scheme: Scheme) -> float:
    """Return the error of the products of a matrix whose columns are scaled and rounded."""
    return float(squared_errors((matrix * scales).astype(np.float32), energies / scales**2, scheme).sum())


def _sample(matrix: Array) -> NDArray[np.float32]:
    """Return a few block rows of a matrix, float32 [rows, cols], evenly spread."""
    whole = len(matrix) // BLOCK
    if whole <= _BANDS:
        return matrix.astype(np.float32)
    chosen = np.linspace(0, whole - 1, _BANDS).astype(int)
    bands = matrix[: whole * BLOCK].reshape(whole, BLOCK, -1)[chosen]
    return np.asarray(bands.reshape(-1, matrix.shape[1]), np.float32)


def _floored(values: Array) -> Array:
    """Return values with those far below the largest raised, all positive."""
    largest = values.max()
    return np.maximum(values, _SMALLEST * largest) if largest > 0 else np.ones_like(values)


def _centred(scales: Array) -> Array:
    return np.asarray(scales / np.sqrt(scales.max() * scales.min()))
