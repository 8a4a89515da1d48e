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
            for rows in values:
                rows[head] = r @ rows[head]
            output[:, head] = output[:, head] @ r.T

    def ends(self, model: Model, tensors: Tensors) -> None:
        """Leave the ends as they are."""


class BalancedPairs:
    """RoPE pairs whose two rows are multiplied by s in the key head and divided by s in its query heads.

    a and b are the energies of the query rows and of the key rows of a pair. s = (a / b)^¼ minimises the
    error of the scores if the step of a block is proportional to the root mean square of its weights. Layers
    with a norm of query and key heads, which would undo the scaling, are not changed.
    """

    unties = False

    def layer(self, model: Model, number: int, tensors: Tensors) -> None:
        """Rescale the pairs of every key-value head of a layer."""
        config = model.layers[number].attention
        if config.qk_norm or config.weighted_qk_norm:
            return
        queries, keys = queries_of(model, tensors), keys_of(model, tensors)
        a = _of_pairs(model, np.square(queries[0]).sum(axis=-1).sum(axis=1))  # [kv heads, head_dim]
        b = _of_pairs(model, np.square(keys[0]).sum(axis=-1))
        usable = (a > 0) & (b > 0)
        scales = np.divide(a, b, out=np.ones_like(a), where=usable) ** 0.25
        for rows in keys:
            rows[...] *= scales[..., None]
        for rows in queries:
            rows[...] /= scales[:, None, :, None]

    def ends(self, model: Model, tensors: Tensors) -> None:
        """Leave the ends as they are."""


def queries_of(model: Model, tensors: Tensors) -> list[Array]:
    """Return the query rows as views, [kv heads, group, head_dim, cols]: of the matrix, then of its bias."""
    count = model.num_heads * model.head_dim
    shape = (model.num_kv_heads, -1, model.head_dim)
    return [rows[:count].reshape(*shape, rows.shape[1]) for rows in _rows_of(tensors)]


def keys_of(model: Model, tensors: Tensors) -> list[Array]:
    """Return the key rows as views, [kv heads, head_dim, cols]: of the matrix, then of its bias."""
    first, count = model.num_heads * model.head_dim, model.num_kv_heads * model.head_dim
    shape = (model.num_kv_heads, model.head_dim)
    return [rows[first : first + count].reshape(*shape, rows.shape[1]) for rows in _rows_of(tensors)]


def values_of(model: Model, tensors: Tensors) -> list[Array]:
    """Return the value rows as views, [kv heads, head_dim, cols]: of the matrix, then of its bias."""
    count = model.num_kv_heads * model.head_dim
    shape = (model.num_kv_heads, model.head_dim)
    return [rows[-count:].reshape(*shape, rows.shape[1]) for rows in _rows_of(tensors)]


def _rows_of(tensors: Tensors) -> list[Array]:
    """Return `attention.qkv`, and its bias as a matrix of one column if there is a bias."""
    bias = tensors.get("attention.qkv_bias")
    return [tensors["attention.qkv"], *([] if bias is None else [bias[:, None]])]


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
