"""A model's layers rounded in order, each for the inputs that the rounded earlier layers give it.

Two streams of activations run through a layer: those of the original, and those of the rounded model. When
they reach a matrix, it is rounded for the inputs of the second stream. Memory holds the weights of one
layer, two streams of activations, and the Hessian of one matrix.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from llq_format.exporting.calibration.awq import scale_columns
from llq_format.exporting.calibration.inputs import Recorder, gram
from llq_format.exporting.calibration.recipe import Recipe
from llq_format.exporting.rounding.feedback import damped
from llq_format.exporting.transforms import Tensors, TransformedModel
from llq_format.exporting.transforms.transform import Array
from llq_format.format.quantize import PackedTensor, QuantizeError, Scheme
from llq_format.reference.batch import Floats, final_norm, run_layer

RoundedLayer = dict[str, PackedTensor | NDArray[np.float32]]
"""The tensors of a layer, by their names without `layers.N.`."""

_RUN = 8192  # rows of the head rounded at a time, a multiple of 64
_CORRECTION = 0.5  # of the way to the least-squares solution, which fits the calibration's noise too


@dataclass
class Calibrated:
    """A model that is being rounded; call `layer` for each layer in order."""

    source: TransformedModel
    recipe: Recipe
    scheme: Scheme
    inv_freq: Floats | None
    streams: Floats = field(default_factory=lambda: np.empty((0, 0, 0), np.float32))
    """Activations before the next layer, float32 [2 · sequences, tokens, hidden]: the original's first."""

    report: Callable[[str, float], None] = field(default=lambda _name, _error: None)
    """Called with the name of each matrix that is rounded and the relative error of its products."""

    def layer(self, number: int) -> RoundedLayer:
        """Round a layer, and run both streams through it.

        Raises QuantizeError, naming the tensor, for weights that no legal block represents.
        """
        model = self.source.model
        tensors = self.source.layer(number)
        _check_finite(number, tensors)
        half = len(self.streams) // 2
        if self.recipe.activation_aware:
            recorder = Recorder({name: value.astype(np.float32) for name, value in tensors.items()})
            layer, x = model.layers[number], self.streams[:half]
            run_layer(model, layer, tensors, self.inv_freq, x, multiply=recorder)
            scale_columns(model, number, tensors, recorder.inputs, self.scheme)
        rounding = _Rounding(self, number, tensors)
        self.streams = run_layer(
            model, model.layers[number], tensors, self.inv_freq, self.streams, multiply=rounding
        )
        return rounding.finished()

    def head(self, norm: Array, head: Array) -> NDArray[np.float32]:
        """Return the head to store, [vocab_size, hidden], after the last layer.

        A recipe that corrects brings its products with the rounded stream nearer to the original's. This
        has no cost if the head is not rounded.
        """
        weights = head.astype(np.float32)
        if not self.recipe.corrected:
            return weights
        original, rounded = self._ends(norm)
        return _corrected(weights, original, rounded, gram(rounded))

    def rounded_head(self, norm: Array, head: NDArray[np.float32]) -> PackedTensor:
        """Round the matrix that `head` returned, for the inputs that reach it, in runs of rows."""
        hessian = gram(self._ends(norm)[1])
        runs = [
            self.recipe.rounder(head[first : first + _RUN], hessian, self.scheme)
            for first in range(0, len(head), _RUN)
        ]
        zeros = [run.zero_points for run in runs if run.zero_points is not None]
        return PackedTensor(
            (len(head), self.source.model.hidden_size),
            np.concatenate([run.scales for run in runs]),
            np.concatenate(zeros) if zeros else None,
            np.concatenate([run.packed for run in runs]),
        )

    def _ends(self, norm: Array) -> tuple[Floats, Floats]:
        """Return the inputs of the head in both streams, [tokens, hidden]."""
        reached = final_norm(self.source.model, norm, self.streams)
        original, rounded = np.split(reached.reshape(-1, reached.shape[-1]), 2)
        return original, rounded


def first_streams(source: TransformedModel, tokens: NDArray[np.int64]) -> Floats:
    """Return both streams before the first layer, float32 [2 · sequences, tokens, hidden]."""
    x = source.embedding().astype(np.float16)[tokens].astype(np.float32)
    return np.concatenate([x, x])


class _Rounding:
    """The multiplication by a layer's matrices, each rounded when its inputs arrive."""

    def __init__(self, calibrated: Calibrated, number: int, tensors: Tensors) -> None:
        self._calibrated, self._number, self._tensors = calibrated, number, tensors
        self._packed: RoundedLayer = {}
        self._tokens = calibrated.streams.shape[0] * calibrated.streams.shape[1]
        self._shared: NDArray[np.float64] | None = None

    def __call__(self, name: str, x: Floats, tokens: NDArray[np.intp] | None) -> Floats:
        """Return W x, with the original W for the first stream and the rounded W for the second."""
        weights = self._tensors[name].astype(np.float32)
        if tokens is None:
            original, stream = np.split(x, 2)
        else:
            first = int(np.searchsorted(tokens, self._tokens // 2))
            original, stream = x[:first], x[first:]
        hessian = gram(stream) if len(stream) else None
        if name.endswith("shared.gate_up"):
            self._shared = hessian
        target = weights
        if self._calibrated.recipe.corrected and tokens is None and hessian is not None:
            target = _corrected(weights, original, stream, hessian)
        rounded = self._round(name, target, hessian)
        y = np.empty((len(x), len(weights)), np.float32)
        np.matmul(original, weights.T, out=y[: len(original)])
        np.matmul(stream, rounded.T, out=y[len(original) :])
        if tokens is None:
            difference = y[len(original) :] - y[: len(original)]
            energy = float(np.square(y[: len(original)]).sum(dtype=np.float64))
            error = float(np.square(difference).sum(dtype=np.float64))
            self._calibrated.report(f"layers.{self._number}.{name}", error / energy if energy else 0.0)
        return y

    def _round(
        self, name: str, target: NDArray[np.float32], hessian: NDArray[np.float64] | None
    ) -> NDArray[np.float32]:
        try:
            packed = self._calibrated.recipe.rounder(target, hessian, self._calibrated.scheme)
        except QuantizeError as error:
            raise QuantizeError(f"tensor 'layers.{self._number}.{name}': {error}") from None
        self._packed[name] = packed
        return packed.dequantize()

    def finished(self) -> RoundedLayer:
        """Return all tensors of the layer; experts without tokens are rounded for the known inputs."""
        for name, tensor in self._tensors.items():
            if name in self._packed:
                continue
            if name.endswith(("norm", "qkv_bias")) or name == "ffn.router":
                self._packed[name] = tensor.astype(np.float32)
            else:  # what enters gate and up of an expert is a multiple of what enters the shared one's
                hessian = self._shared if name.endswith("gate_up") else None
                self._round(name, tensor.astype(np.float32), hessian)
        return {name: self._packed[name] for name in self._tensors}


def _corrected(
    weights: NDArray[np.float32], original: Floats, rounded: Floats, hessian: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return weights whose products with the rounded stream are nearer to the original's products.

    X are the original's inputs and Y the rounded stream's. Least squares gives W + W (X − Y)ᵀ Y (Yᵀ Y)⁻¹.
    """
    drift = gram(original - rounded, rounded)
    change = np.linalg.solve(damped(hessian), drift.T).T
    return (weights + _CORRECTION * (weights @ change.astype(np.float32))).astype(np.float32)


def _check_finite(number: int, tensors: Tensors) -> None:
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            row, *col = np.argwhere(~np.isfinite(tensor))[0]
            where = f"row {row}" + (f", column {col[0]}" if col else "")
            raise QuantizeError(
                f"tensor 'layers.{number}.{name}': the weight at {where} is not finite in binary32"
            )
