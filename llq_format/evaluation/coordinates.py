"""The original weights in the coordinates of a package, after changes that keep the function of the model.

Exporters fold norms, rotate the residual stream and the values, put channels in another order and move
factors between matrices. The changes are inferred from the weights; no provenance is needed.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from llq_format.evaluation.statistics import relative_error
from llq_format.metadata.model import FFN, Model
from llq_format.reference.batch import Floats

_SAME_EMBEDDING = 0.01
"""Maximum relative difference of equal embeddings after rotation; binary16 causes less than 0.001."""

_ALIKE = 0.8
"""Minimum mean cosine of rows for which an order of channels is recognised."""

Weights = Mapping[str, Floats]


def rotation(original: Floats, stored: Floats) -> Floats | None:
    """Return the orthogonal R, float32 [hidden, hidden], with stored = original R, of two embeddings.

    None if no such matrix exists, or if the rows of the embedding are too few to determine it.
    """
    if relative_error(original, stored) < _SAME_EMBEDDING**2:
        return np.eye(original.shape[1], dtype=np.float32)
    turn, strengths = _procrustes(original, stored)
    distinct = strengths[-1] > _SAME_EMBEDDING**2 * strengths[0]
    return turn if distinct and relative_error(original, stored @ turn.T) < _SAME_EMBEDDING**2 else None


def layer_as_stored(model: Model, ffn: FFN, original: Weights, stored: Weights, turn: Floats) -> Weights:
    """Return the unrounded matrices of a layer in the coordinates of the package.

    original, stored: the tensors of the layer by their names without `layers.N.`, float32; turn: the
    rotation of the residual stream. Each row of queries, keys, values and `up`, and each column that reads
    them, is scaled by the factor that fits best, which removes at most a thousandth of the error.
    """
    qkv = through_norm(original["attention.qkv"], original["attention_norm"], stored["attention_norm"], turn)
    first = model.num_heads * model.head_dim + model.num_kv_heads * model.head_dim
    matrices = {
        "attention.qkv": np.concatenate(
            [
                _rows_fitted(qkv[:first], stored["attention.qkv"][:first]),
                qkv[first:],
            ]
        )
    }
    output = turn.T @ original["attention.output"]
    values, turned = qkv[first:], stored["attention.qkv"][first:]
    fitted = _rows_fitted(values, turned)
    rotated, output_rotated = _values_turned(model, values, turned, output)
    if relative_error(turned, rotated) < relative_error(turned, fitted):
        fitted, output = rotated, output_rotated
    matrices["attention.qkv"][first:] = fitted
    matrices["attention.output"] = _rows_fitted(output.T, stored["attention.output"].T).T
    for prefix in _dense_networks(ffn):
        _dense_as_stored(prefix, ffn, original, stored, turn, matrices)
    return matrices


def through_norm(matrix: Floats, norm: Floats, stored_norm: Floats, turn: Floats) -> Floats:
    """Return a matrix that reads a normed stream, for another norm weight and a rotated stream."""
    safe = np.where(stored_norm == 0, 1, stored_norm)
    return np.asarray(((matrix * norm) @ turn) / safe)


def _dense_as_stored(  # noqa: PLR0913, PLR0917  # the parts of a network
    prefix: str, ffn: FFN, original: Weights, stored: Weights, turn: Floats, matrices: dict[str, Floats]
) -> None:
    first = f"{prefix}.{'gate_up' if ffn.gated else 'up'}"
    rows = through_norm(original[first], original["ffn_norm"], stored["ffn_norm"], turn)
    down = turn.T @ original[f"{prefix}.down"]
    size = down.shape[1]
    order = _order(rows[:size], stored[first][:size])
    gate, up = rows[:size][order], rows[-size:][order]
    matrices[first] = _rows_fitted(up, stored[first][-size:])
    if ffn.gated:
        matrices[first] = np.concatenate([gate, matrices[first]])
    matrices[f"{prefix}.down"] = _rows_fitted(down[:, order].T, stored[f"{prefix}.down"].T).T


def _order(original: Floats, stored: Floats) -> NDArray[np.intp]:
    """Return the original row of each stored row; the identity if the order is not recognised."""
    a, b = _unit(original), _unit(stored)
    in_place = np.arange(len(a))
    if np.einsum("ij,ij->i", a, b).mean() > _ALIKE:
        return in_place
    cosines = b @ a.T
    order = cosines.argmax(axis=1)
    distinct = len(np.unique(order)) == len(order) and cosines.max(axis=1).mean() > _ALIKE
    return order if distinct else in_place


def _values_turned(model: Model, values: Floats, stored: Floats, output: Floats) -> tuple[Floats, Floats]:
    """Return value rows and `output` with each key-value head rotated as the stored values are."""
    size = model.head_dim
    rotated = np.empty_like(values)
    columns = output.reshape(len(output), model.num_kv_heads, -1, size).copy()
    for head in range(model.num_kv_heads):
        rows = slice(head * size, (head + 1) * size)
        turn, _ = _procrustes(values[rows].T, stored[rows].T)
        rotated[rows] = turn.T @ values[rows]
        columns[:, head] = columns[:, head] @ turn
    return rotated, columns.reshape(output.shape)


def _procrustes(original: Floats, stored: Floats) -> tuple[Floats, Floats]:
    """Return the orthogonal R nearest to stored = original R, float32, and the singular values."""
    u, strengths, vt = np.linalg.svd((original.T @ stored).astype(np.float64))
    return (u @ vt).astype(np.float32), strengths


def _rows_fitted(original: Floats, stored: Floats) -> Floats:
    """Return the rows of the original, each scaled by the factor that fits the stored row best."""
    energy = np.einsum("ij,ij->i", original, original)
    factors = np.divide(
        np.einsum("ij,ij->i", original, stored), energy, out=np.ones_like(energy), where=energy > 0
    )
    return np.asarray(original * factors[:, None])


def _unit(rows: Floats) -> Floats:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(norms > 0, norms, 1))


def _dense_networks(ffn: FFN) -> list[str]:
    if ffn.moe is None:
        return ["ffn"]
    return [f"ffn.experts.{expert}" for expert in range(ffn.moe.num_experts)] + ["ffn.shared"]
