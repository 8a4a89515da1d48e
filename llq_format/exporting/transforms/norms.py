"""The weights of norms, multiplied into the matrices that read their outputs."""

import numpy as np

from llq_format.exporting.transforms.transform import Tensors, inputs_of
from llq_format.metadata.model import Model


class FoldedNorms:
    """Norms whose weights become ones: W · (n ⊙ x) = (W diag(n)) · x. A tied head becomes a separate matrix.

    The weights of a norm contain the outliers of the residual's channels, so a rotation must follow the norm.
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
    """Multiply the columns of matrices by the weights of a norm, and set the weights to 1."""
    for name in matrices:
        tensors[name] *= tensors[norm]
    tensors[norm] = np.ones_like(tensors[norm])
