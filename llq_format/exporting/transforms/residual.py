"""The residual stream in other coordinates."""

import numpy as np

from llq_format.exporting.transforms.orthogonal import orthogonal
from llq_format.exporting.transforms.transform import Array, Tensors, inputs_of, outputs_of
from llq_format.metadata.model import Model


class RotatedResidual:
    """A residual stream x that becomes Q x, with Q orthogonal.

    Matrices that write the stream are multiplied by Q, and matrices that read it by Qᵀ. A norm commutes with
    Q only if its weights are ones, so norms must be folded first.
    """

    unties = False  # folding the norms has done so already

    def __init__(self, hidden_size: int, seed: int) -> None:
        self._q: Array = orthogonal(hidden_size, np.random.default_rng([seed, 0]))

    def layer(self, model: Model, number: int, tensors: Tensors) -> None:
        """Rotate the matrices around the stream; raises ValueError for a norm that was not folded."""
        for norm in ("attention_norm", "ffn_norm"):
            _check_ones(tensors, norm)
        ffn = model.layers[number].ffn
        for name in ["attention.qkv", *inputs_of(ffn)]:
            tensors[name] = tensors[name] @ self._q.T
        for name in ["attention.output", *outputs_of(ffn)]:
            tensors[name] = self._q @ tensors[name]

    def ends(self, _model: Model, tensors: Tensors) -> None:
        """Rotate the rows of the embedding and of the head."""
        if "norm" in tensors:
            _check_ones(tensors, "norm")
        for name in ("embedding", "lm_head"):
            if name in tensors:
                tensors[name] = tensors[name] @ self._q.T


def _check_ones(tensors: Tensors, norm: str) -> None:
    if not (tensors[norm] == 1).all():
        raise ValueError(
            f"{norm} has weights other than 1: fold the norms before rotating the residual stream"
        )
