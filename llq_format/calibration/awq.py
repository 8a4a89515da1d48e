"""Activation-aware weight quantization (AWQ): columns scaled by the magnitude of their inputs.

The inverse is folded into what comes before, and rounding is to nearest.

The scale of a column is its inputs' mean magnitude to a power from 0 to 1, that of the least error.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from llq_format.calibration.inputs import Inputs
from llq_format.model import Model
from llq_format.quantize import Scheme
from llq_format.rounding import nearest
from llq_format.transforms.heads import output_of, values_of
from llq_format.transforms.transform import Array, Tensors, inputs_of, matrices_of

_POWERS = np.linspace(0, 1, 11)


def scale_columns(
    model: Model, number: int, tensors: Tensors, inputs: Mapping[str, Inputs], scheme: Scheme
) -> None:
    """Scale the columns of a layer's matrices, in place, so that its function stays as it is.

    inputs: of each matrix, recorded with the tensors as given; an expert without tokens is left out.
    """
    ffn = model.layers[number].ffn
    for prefix in matrices_of(ffn):
        name = f"{prefix}.down"
        if ffn.gated and name in inputs:
            scales = _best_scales([tensors[name]], inputs[name], scheme)
            tensors[name] *= scales
            gate_up = tensors[f"{prefix}.gate_up"]
            gate_up[len(scales) :] /= scales[:, None]
    shape = (model.num_kv_heads, -1, model.head_dim)
    recorded = inputs["attention.output"]
    shared = recorded.magnitudes.reshape(shape).mean(
        axis=1, keepdims=True
    )  # one scale for all that read a value
    magnitudes = np.broadcast_to(
        shared, (model.num_kv_heads, recorded.magnitudes.size // shared.size, model.head_dim)
    )
    scales = _best_scales(
        [tensors["attention.output"]], Inputs(recorded.hessian, magnitudes.ravel()), scheme
    ).reshape(shape)[:, 0]
    output_of(model, tensors)[...] *= scales[:, None]
    values_of(model, tensors)[...] /= scales[..., None]
    _scale_norm(tensors, "attention_norm", ["attention.qkv"], inputs["attention.qkv"], scheme)
    readers = inputs_of(ffn)
    _scale_norm(tensors, "ffn_norm", readers, inputs[readers[-1]], scheme)


def _scale_norm(tensors: Tensors, norm: str, readers: list[str], inputs: Inputs, scheme: Scheme) -> None:
    matrices = [tensors[name] for name in readers if not name.endswith(".router")]
    scales = _best_scales(matrices, inputs, scheme)
    for name in readers:
        tensors[name] *= scales
    tensors[norm] /= scales


def _best_scales(matrices: list[Array], inputs: Inputs, scheme: Scheme) -> Array:
    """Return the scales of the columns, float64 [cols], whose rounded matrices have the least error."""
    magnitudes = np.maximum(inputs.magnitudes, 1e-6 * inputs.magnitudes.max() + 1e-30)
    tried = []
    for power in _POWERS:
        scales = magnitudes**power
        scales /= np.sqrt(scales.max() * scales.min())
        tried.append((sum(_error(matrix, scales, inputs.hessian, scheme) for matrix in matrices), scales))
    return np.asarray(min(tried, key=lambda pair: pair[0])[1])


def _error(matrix: Array, scales: Array, hessian: NDArray[np.float64], scheme: Scheme) -> float:
    rounded = nearest((matrix * scales).astype(np.float32), None, scheme).dequantize()
    error = (matrix - rounded / scales).astype(np.float32)
    return float(np.einsum("rc,rc->", error, error @ hessian.astype(np.float32), dtype=np.float64))
