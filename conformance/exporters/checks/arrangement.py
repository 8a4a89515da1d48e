"""The originals of a package's tensors, in the order of rows that the package states."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.vectors import Vector

Reals = NDArray[np.float64]


def originals(vector: Vector, model: Mapping[str, Any]) -> dict[str, Reals]:
    """Return the checkpoint's weights by LLQ name, float64, as a package with this `model` arranges them.

    If the package stores a head that the checkpoint ties, the head equals the embedding. If the package
    states the other `rope_pairing`, rows of q and k of layers with RoPE are reordered within each head.
    """
    weights = {name: np.load(vector.home / path).astype(np.float64) for name, path in _paths(vector).items()}
    if not model.get("tied_embeddings"):
        weights.setdefault("lm_head", weights["embedding"])
    stated = vector.members["model"]
    if model.get("rope_pairing") == stated["rope_pairing"]:
        return weights
    for index, layer in enumerate(stated["layers"]):
        if layer["attention"]["rope"]:
            name = f"layers.{index}.attention.qkv"
            weights[name] = _repaired(weights[name], stated)
    return weights


def _paths(vector: Vector) -> dict[str, str]:
    paths: dict[str, str] = vector.members["weights"]
    return paths


def _repaired(qkv: Reals, model: Mapping[str, Any]) -> Reals:
    """Return rows of q, k and v; rows of q and k are moved from the stated pairing to the other pairing."""
    width, heads, groups = model["head_dim"], model["num_heads"], model["num_kv_heads"]
    halves = np.arange(width).reshape(2, width // 2)
    order = halves.T if model["rope_pairing"] == "halves" else halves.reshape(width // 2, 2).T
    rotated = (heads + groups) * width
    rows = np.arange(heads + groups)[:, None] * width + order.reshape(-1)
    return np.concatenate([qkv[rows.reshape(-1)], qkv[rotated:]])
