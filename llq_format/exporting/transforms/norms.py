"""The weights of norms multiplied into the matrices that read them."""

import numpy as np

from llq_format.exporting.transforms.transform import Tensors, inputs_of
from llq_format.metadata.model import Model


class FoldedNorms:
    """W · (n ⊙ x) = (W diag(n)) · x: all norms become ones, and a tied head a matrix of its own.

    The weights of a norm hold the outliers of the residual's channels; a rotation has to come after them.
    """

    unties = True

    def layer(self, model: Model, number: int, tensors: Tensors) -> None:
        """Fold both norms of a layer."""
        fold(tensors, "attention_norm", ["attention.qkv"])
        fold(tensors, "ffn_norm", inputs_of(model.layers[number].ffn))

    def ends(self, _model: Model, tensors: Tensors) -> None:
        """Fold the final norm into the head."""
        if "norm" in tensors:
            fold(tensors, "norm", ["lm_head"])


def fold(tensors: Tensors, norm: str, matrices: list[str]) -> None:
    """Multiply the columns of matrices by the weights of a norm, which become ones."""
    for name in matrices:
        tensors[name] *= tensors[norm]
    tensors[norm] = np.ones_like(tensors[norm])
