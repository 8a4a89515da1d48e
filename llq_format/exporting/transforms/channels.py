"""Channels of a feed-forward network rescaled and put in another order."""

import numpy as np
from numpy.typing import NDArray

from llq_format.exporting.transforms.transform import Array, Tensors, matrices_of
from llq_format.format.layout import BLOCK
from llq_format.metadata.model import Model


class BalancedChannels:
    """Row c of `up` times s and column c of `down` over s, so that both have one norm; sorted by it.

    Blocks then hold channels of a kind. With a gate, blocks of similar norm form a group, and the number of
    groups equals the number of blocks per group; each group is sorted by the norm of the gate's rows. A
    channel of a gated network keeps its gate as it is; one of an ungated network is not rescaled, because its
    activation is in between.
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
        """Leave the ends as they are."""


def _order(norms: Array, gates: Array) -> NDArray[np.intp]:
    """Return the channels sorted by norm, in groups of whole blocks by gate, both nearly even in a block."""
    order = np.argsort(norms, kind="stable")
    blocks = -(-len(order) // BLOCK)
    groups = np.array_split(np.arange(blocks), round(np.sqrt(blocks)))
    ends = [BLOCK * int(group[0]) for group in groups[1:]]
    return np.concatenate([part[np.argsort(gates[part], kind="stable")] for part in np.split(order, ends)])
