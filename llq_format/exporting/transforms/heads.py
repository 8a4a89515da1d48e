"""Heads in other coordinates: rotated values, and rescaled pairs of queries and keys."""

import numpy as np

from llq_format.exporting.transforms.orthogonal import orthogonal
from llq_format.exporting.transforms.transform import Array, Tensors
from llq_format.metadata.model import Model


class RotatedValues:
    """Values v of a key-value head that become R v; the columns W of `output` that read them become W Rᵀ."""

    unties = False

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def layer(self, model: Model, number: int, tensors: Tensors) -> None:
        """Rotate each key-value head of a layer by its own matrix."""
        rng = np.random.default_rng([self._seed, 1, number])
        values, output = values_of(model, tensors), output_of(model, tensors)
        for head in range(model.num_kv_heads):
            r = orthogonal(model.head_dim, rng)
            values[head] = r @ values[head]
            output[:, head] = output[:, head] @ r.T

    def ends(self, model: Model, tensors: Tensors) -> None:
        """Leave the ends as they are."""


class BalancedPairs:
    """RoPE pairs whose two rows are multiplied by s in the key head and divided by s in its query heads.

    a and b are the energies of the query rows and of the key rows of a pair. s = (a / b)^¼ minimises the
    error of the scores if the step of a block is proportional to the root mean square of its weights. Layers
    with QK norm, which would undo the scaling, are not changed.
    """

    unties = False

    def layer(self, model: Model, number: int, tensors: Tensors) -> None:
        """Rescale the pairs of every key-value head of a layer."""
        if model.layers[number].attention.qk_norm:
            return
        queries, keys = queries_of(model, tensors), keys_of(model, tensors)
        a = _of_pairs(model, np.square(queries).sum(axis=-1).sum(axis=1))  # [kv heads, head_dim]
        b = _of_pairs(model, np.square(keys).sum(axis=-1))
        usable = (a > 0) & (b > 0)
        scales = np.divide(a, b, out=np.ones_like(a), where=usable) ** 0.25
        keys *= scales[..., None]
        queries /= scales[:, None, :, None]

    def ends(self, model: Model, tensors: Tensors) -> None:
        """Leave the ends as they are."""


def queries_of(model: Model, tensors: Tensors) -> Array:
    """Return the query rows as a view, [kv heads, group, head_dim, hidden]."""
    rows = tensors["attention.qkv"][: model.num_heads * model.head_dim]
    return rows.reshape(model.num_kv_heads, -1, model.head_dim, rows.shape[1])


def keys_of(model: Model, tensors: Tensors) -> Array:
    """Return the key rows as a view, [kv heads, head_dim, hidden]."""
    first, count = model.num_heads * model.head_dim, model.num_kv_heads * model.head_dim
    rows = tensors["attention.qkv"][first : first + count]
    return rows.reshape(model.num_kv_heads, model.head_dim, rows.shape[1])


def values_of(model: Model, tensors: Tensors) -> Array:
    """Return the value rows as a view, [kv heads, head_dim, hidden]."""
    rows = tensors["attention.qkv"][-model.num_kv_heads * model.head_dim :]
    return rows.reshape(model.num_kv_heads, model.head_dim, rows.shape[1])


def output_of(model: Model, tensors: Tensors) -> Array:
    """Return the columns of `output` as a view, [hidden, kv heads, group, head_dim]."""
    output = tensors["attention.output"]
    return output.reshape(len(output), model.num_kv_heads, -1, model.head_dim)


def _of_pairs(model: Model, energies: Array) -> Array:
    """Return for each row of a head the sum over the two rows of its pair, [kv heads, head_dim]."""
    half = model.head_dim // 2
    if model.rope_pairing == "interleaved":
        return np.repeat(energies.reshape(-1, half, 2).sum(axis=-1), 2, axis=-1)
    return np.tile(energies.reshape(-1, 2, half).sum(axis=1), 2)
