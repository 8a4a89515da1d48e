"""The second decoder on unrounded weights and inputs: what a checkpoint computes before quantization."""

from typing import Any

import numpy as np

from llq_format.exporting.checkpoint import Checkpoint
from llq_format.metadata.model import Model, tensor_roles
from tests.support.numpy_decoder import Array, NumpyDecoder


class PlainDecoder(NumpyDecoder):
    """A model whose matrices multiply unrounded vectors, in binary64."""

    def __init__(self, model: dict[str, Any], tensors: dict[str, Array]) -> None:  # the base reads a package
        self.model, self.tensors = model, tensors

    def logits(self, tokens: list[int]) -> tuple[Array, Array]:
        """Return logits by position, and residuals by layer and position."""
        _, residuals = super().logits(tokens)
        head = self.tensors["embedding" if self.model["tied_embeddings"] else "lm_head"]
        return self.norm(residuals[-1], "norm") @ head.T, residuals

    def project(self, index: int, name: str, x: Array) -> Array:
        """Return products with a matrix of a layer."""
        product: Array = x @ self.tensors[f"layers.{index}.{name}"].T
        return product


def checkpoint_logits(checkpoint: Checkpoint, tokens: list[int]) -> Array:
    """Return the logits of a checkpoint by position, computed from what `load` returns."""
    model = checkpoint.model
    names = [role.name for role in tensor_roles(Model.from_json(model))]
    tensors = {name: checkpoint.load(name).astype(np.float64) for name in names}
    return PlainDecoder(model, tensors).logits(tokens)[0]


def relative_difference(actual: Array, expected: Array) -> float:
    """Return the largest difference of logits, relative to the largest logit."""
    return float(np.abs(actual - expected).max() / np.abs(expected).max())
