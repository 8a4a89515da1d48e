"""Activation-aware weight quantization (AWQ): columns scaled by the magnitude of their inputs.

The inverse scales are folded into the preceding operation: the norm, the rows of `up`, or the values. The
matrix is then rounded to nearest, in ranges that are clipped if that reduces the error.

The scale of a column is a power of its inputs' mean magnitude times a power of its norm. The search chooses
the powers whose rounded matrices have the smallest error, each column weighted by its inputs' energy.
"""

from collections.abc import Mapping
from itertools import product

import numpy as np
from numpy.typing import NDArray

from llq_format.exporting.calibration.inputs import Inputs
from llq_format.exporting.rounding import squared_errors
from llq_format.exporting.transforms.heads import output_of, values_of
from llq_format.exporting.transforms.transform import Array, Tensors, inputs_of, matrices_of
from llq_format.format.layout import BLOCK
from llq_format.format.quantize import Scheme
from llq_format.metadata.model import Model

_POWERS = tuple(product(np.linspace(0, 1, 6), (0, 0.5, 1)))
"""The exponents that are tried: of the inputs' magnitudes, and of the inverse norms of columns."""

_BANDS = 8  # block rows of a matrix that stand for all of them in the search
_SMALLEST = 1e-4  # of the largest magnitude or norm: what is smaller counts as so much


def scale_columns(
    model: Model, number: int, tensors: Tensors, inputs: Mapping[str, Inputs], scheme: Scheme
) -> None:
    """Scale the columns of a layer's matrices in place, and keep the layer's function.

    inputs: the inputs of each matrix, recorded with the unchanged tensors; an expert without tokens is
    absent. Raises QuantizeError for a weight that no legal scale represents.
    """
    ffn = model.layers[number].ffn
    for prefix in matrices_of(ffn):
        name = f"{prefix}.down"
        if ffn.gated and name in inputs:
            scales = _best_scales([tensors[name]], inputs[name], scheme)
            tensors[name] *= scales
            tensors[f"{prefix}.gate_up"][len(scales) :] /= scales[:, None]
    output = output_of(model, tensors)
    matrix, output_inputs = tensors["attention.output"], inputs["attention.output"]
    scales = _best_scales([matrix], output_inputs, scheme, output.shape[1:]).reshape(output.shape[1:])
    output *= scales
    for rows in values_of(model, tensors):
        rows[...] /= scales[:, 0, :, None]  # one for all heads that read a value
    _scale_norm(tensors, "attention_norm", ["attention.qkv"], inputs["attention.qkv"], scheme)
    readers = inputs_of(ffn)
    _scale_norm(tensors, "ffn_norm", readers, inputs[readers[-1]], scheme)


def _scale_norm(tensors: Tensors, norm: str, readers: list[str], inputs: Inputs, scheme: Scheme) -> None:
    matrices = [tensors[name] for name in readers if not name.endswith(".router")]
    scales = _best_scales(matrices, inputs, scheme)
    for name in readers:
        tensors[name] *= scales
    tensors[norm] /= scales


def _best_scales(
    matrices: list[Array], inputs: Inputs, scheme: Scheme, heads: tuple[int, ...] | None = None
) -> Array:
    """Return the scales of the columns, float64 [cols], whose rounded matrices have the smallest error.

    heads: (key-value heads, group, head_dim), if a column has the same scale in all heads of a group.
    """
    sampled = [_sample(matrix) for matrix in matrices]
    squares = np.sum([np.square(matrix).sum(axis=0, dtype=np.float64) for matrix in sampled], axis=0)
    magnitudes = inputs.magnitudes
    if heads is not None:
        squares, magnitudes = (
            np.broadcast_to(of.reshape(heads).mean(axis=1, keepdims=True), heads).ravel()
            for of in (squares, magnitudes)
        )
    magnitudes, norms = _floored(magnitudes), _floored(np.sqrt(squares))
    energies = np.diag(inputs.hessian)
    candidates = []
    for a, b in _POWERS:
        scales = magnitudes**a / norms**b
        scales /= np.sqrt(scales.max() * scales.min())
        candidates.append((sum(_error(matrix, scales, energies, scheme) for matrix in sampled), scales))
    return np.asarray(min(candidates, key=lambda pair: pair[0])[1])


def _error(matrix: NDArray[np.float32], scales: Array, energies: Array, scheme: Scheme) -> float:
    """Return the error of the products of a matrix whose columns are scaled and rounded."""
    return float(squared_errors((matrix * scales).astype(np.float32), energies / scales**2, scheme).sum())


def _sample(matrix: Array) -> NDArray[np.float32]:
    """Return a few block rows of a matrix, float32 [rows, cols], evenly spread."""
    full_bands = len(matrix) // BLOCK
    if full_bands <= _BANDS:
        return matrix.astype(np.float32)
    indices = np.linspace(0, full_bands - 1, _BANDS).astype(int)
    bands = matrix[: full_bands * BLOCK].reshape(full_bands, BLOCK, -1)[indices]
    return np.asarray(bands.reshape(-1, matrix.shape[1]), np.float32)


def _floored(values: Array) -> Array:
    """Return positive values: values far below the maximum are raised."""
    largest = values.max()
    return np.maximum(values, _SMALLEST * largest) if largest > 0 else np.ones_like(values)
