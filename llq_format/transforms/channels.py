"""Channels of a feed-forward network rescaled and put in another order."""

import numpy as np

from llq_format.model import Model
from llq_format.transforms.transform import Tensors, matrices_of


class BalancedChannels:
    """Row c of `up` times s and column c of `down` over s, so that both have one norm; sorted by it.

    Blocks then hold channels of a kind. A channel of a gated network keeps its gate as it is; one of an
    ungated network is not rescaled, since its activation stands between.
    """

    unties = False

    def layer(self, model: Model, number: int, tensors: Tensors) -> None:
        """Rescale and sort the channels of every dense network of a layer."""
        ffn = model.layers[number].ffn
        for prefix in matrices_of(ffn):
            down = tensors[f"{prefix}.down"]
            if ffn.gated:
                gate, up = np.split(tensors[f"{prefix}.gate_up"], 2)
                widths, heights = np.linalg.norm(up, axis=1), np.linalg.norm(down, axis=0)
                usable = (widths > 0) & (heights > 0)
                scales = np.sqrt(np.divide(heights, widths, out=np.ones_like(widths), where=usable))
                up *= scales[:, None]
                down /= scales
                order = np.argsort(np.linalg.norm(up, axis=1), kind="stable")
                tensors[f"{prefix}.gate_up"] = np.concatenate([gate[order], up[order]])
            else:
                first = tensors[f"{prefix}.up"]
                order = np.argsort(np.linalg.norm(first, axis=1), kind="stable")
                tensors[f"{prefix}.up"] = first[order]
            tensors[f"{prefix}.down"] = down[:, order]

    def ends(self, model: Model, tensors: Tensors) -> None:
        """Leave the ends as they are."""
