"""The scale and the error of every block of a package."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llq_format.evaluation.coordinates import layer_as_stored, rotation, through_norm
from llq_format.exporting.checkpoint import Checkpoint
from llq_format.exporting.transforms import TransformedModel
from llq_format.format.layout import BLOCK, block_grid, is_int4
from llq_format.metadata.model import Model
from llq_format.package.reader import Package
from llq_format.reference.batch import Floats

_STRANGE = 0.8
"""Share of a matrix's energy; a larger error means that the coordinates were not recognised."""


@dataclass(frozen=True)
class BlockMap:
    """Maps of the blocks of an INT4 tensor, each [down, across].

    scales: float32; errors: norm of stored minus original weights over that of the original ones, float64, in
    the coordinates of the package, or None if those were not recognised. error: the same for the whole
    tensor.
    """

    name: str
    scales: NDArray[np.float32]
    errors: NDArray[np.float64] | None
    error: float | None


def block_maps(
    package: Package, checkpoint: Checkpoint, on_layer: Callable[[int], None] = lambda _count: None
) -> Iterator[BlockMap]:
    """Yield the map of every INT4 tensor of a model package, with one layer in memory at a time.

    on_layer: called after each layer, with 1. Raises ValueError for a package without a model.
    """
    model = package.metadata.model
    if model is None:
        raise ValueError("this package has no model: block maps require a model package")
    originals = TransformedModel(Model.from_json(checkpoint.model), checkpoint.load, [])
    stored_model = TransformedModel(model, package.get_tensor, [])
    turn = rotation(checkpoint.load("embedding"), package.get_tensor("embedding"))
    for number, layer in enumerate(model.layers):
        stored = _binary32(stored_model.layer(number))
        expected = (
            {}
            if turn is None
            else layer_as_stored(model, layer.ffn, _binary32(originals.layer(number)), stored, turn)
        )
        prefix = f"layers.{number}."
        for name in package:
            if name.startswith(prefix) and is_int4(package.entry(name).dtype):
                short = name.removeprefix(prefix)
                yield _map(package, name, stored[short], expected.get(short))
        on_layer(1)
    if "lm_head" in package and is_int4(package.entry("lm_head").dtype):
        norm, head = (tensor.astype(np.float32) for tensor in originals.head())
        target = None if turn is None else through_norm(head, norm, package.get_tensor("norm"), turn)
        yield _map(package, "lm_head", package.get_tensor("lm_head"), target)


def _map(package: Package, name: str, stored: Floats, original: Floats | None) -> BlockMap:
    grid = block_grid(*stored.shape)
    scales = package.get_packed(name).scales.astype(np.float32).reshape(grid)
    if original is None:
        return BlockMap(name, scales, None, None)
    lost, energy = _sums(np.square(stored - original)), _sums(np.square(original))
    total = float(lost.sum() / energy.sum()) if energy.any() else 0.0
    if total > _STRANGE:
        return BlockMap(name, scales, None, None)
    errors = np.sqrt(np.divide(lost, energy, out=np.zeros_like(lost), where=energy > 0))
    return BlockMap(name, scales, errors, float(np.sqrt(total)))


def _sums(values: Floats) -> NDArray[np.float64]:
    """Return the sum of each block of a matrix, [down, across]."""
    rows, cols = (np.arange(0, size, BLOCK) for size in values.shape)
    return np.asarray(np.add.reduceat(np.add.reduceat(values.astype(np.float64), rows, 0), cols, 1))


def _binary32(tensors: dict[str, NDArray[np.float64]]) -> dict[str, Floats]:
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}
