"""Channels of a feed-forward network, rescaled and reordered."""

import numpy as np
from numpy.typing import NDArray

from llq_format.exporting.transforms.transform import Array, Tensors, matrices_of
from llq_format.format.layout import BLOCK
from llq_format.metadata.model import Model


class BalancedChannels:
    """Channels whose row of `up` is multiplied by s and whose column of `down` is divided by s.

    Row and column then have equal norms, and channels are sorted by this norm, so that a block holds similar
    channels. With a gate, blocks of similar norm form a group, and the number of groups equals the number of
    blocks per group; each group is sorted by the norm of the gate's rows. The gate of a channel is not
    scaled. Channels without a gate are not scaled, because the activation is between `up` and `down`.
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
                order = _order(np.linalg.norm(up, axis=1), np.linalg.norm(gate, axis=1))
                tensors[f"{prefix}.gate_up"] = np.concatenate([gate[order], up[order]])
            else:
                first = tensors[f"{prefix}.up"]
                order = np.argsort(np.linalg.norm(first, axis=1), kind="stable")
                tensors[f"{prefix}.up"] = first[order]
            tensors[f"{prefix}.down"] = down[:, order]

    def ends(self, model: Model, tensors: Tensors) -> None:
        """Change nothing at the ends of the model."""


def _order(norms: Array, gates: Array) -> NDArray[np.intp]:
    """Return the channels sorted by norm, in groups of whole blocks by gate; a block has similar channels."""
    order = np.argsort(norms, kind="stable")
    blocks = -(-len(order) // BLOCK)
    groups = np.array_split(np.arange(blocks), round(np.sqrt(blocks)))
    ends = [BLOCK * int(group[0]) for group in groups[1:]]
    return np.concatenate([part[np.argsort(gates[part], kind="stable")] for part in np.split(order, ends)])
