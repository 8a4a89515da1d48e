"""A package and its checkpoint over the same text, a layer of each in memory at a time.

All is computed in binary32. The residual streams are compared in the original's coordinates: where the
package was rotated, its embedding tells how.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llq_format.checkpoint import Checkpoint
from llq_format.evaluation.statistics import Positions, Score, log_softmax
from llq_format.model import INV_FREQ, Model
from llq_format.reader import Package
from llq_format.reference.activations import quantize_int8, round_binary16
from llq_format.reference.batch import Floats, Multiply, final_norm, multiplied_by, run_layer
from llq_format.transforms import TransformedModel

_SAME_EMBEDDING = 0.01
"""Relative difference up to which embeddings count as one, rotated: binary16 makes less than a thousandth."""

Weights = dict[str, NDArray[np.float32]]
Load = Callable[[str], NDArray[np.float32]]


@dataclass(frozen=True)
class LayerError:
    """Squared error over squared norm, of a layer of the package with unrounded inputs.

    own: of what the layer adds to the residual stream, both given the original's stream; accumulated: of the
    stream after it. None where the package's coordinates are not known.
    """

    own: float | None
    accumulated: float | None


@dataclass(frozen=True)
class Evaluation:
    """Figures of a package; `weights` with unrounded inputs of matrices, `exact` with inputs as specified."""

    tokens: int
    sequences: int
    original_perplexity: float
    scores: Mapping[str, Score]
    layers: list[LayerError]

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON value."""
        return {
            "tokens": self.tokens,
            "sequences": self.sequences,
            "original_perplexity": self.original_perplexity,
            **{name: score.to_json() for name, score in self.scores.items()},
            "layers": [{"own": layer.own, "accumulated": layer.accumulated} for layer in self.layers],
        }


def evaluate(
    package: Package,
    checkpoint: Checkpoint,
    tokens: NDArray[np.int64],
    on_layer: Callable[[int], None] = lambda _count: None,
) -> Evaluation:
    """Compare a package with its checkpoint.

    tokens: [sequences, positions], at least 2 of them a sequence. on_layer: called after each layer, with 1.
    Raises ValueError for a package of another model, LLQError for a faulty one.
    """
    if package.metadata.model is None:
        raise ValueError("this package holds tensors but no model: there is nothing to evaluate")
    return evaluate_weights(package.metadata.model, package.get_tensor, checkpoint, tokens, on_layer)


def evaluate_weights(
    model: Model,
    load: Load,
    checkpoint: Checkpoint,
    tokens: NDArray[np.int64],
    on_layer: Callable[[int], None] = lambda _count: None,
) -> Evaluation:
    """Compare weights, loaded by their LLQ names, with those of a checkpoint; see `evaluate`."""
    original = Model.from_json(checkpoint.model)
    _check_same(original, model)
    source = TransformedModel(original, checkpoint.load, [])
    embeddings = checkpoint.load("embedding"), load("embedding")
    turn = _rotation(*embeddings)
    x, first = embeddings[0][tokens], embeddings[1][tokens]
    streams = {"weights": first, "exact": first}
    inv_freq = _inv_freq(original, checkpoint.load), _inv_freq(model, load)
    errors = []
    for number, layer in enumerate(model.layers):
        weights = {name: value.astype(np.float32) for name, value in source.layer(number).items()}
        config = original.layers[number]
        after = run_layer(original, config, weights, inv_freq[0], x, multiply=multiplied_by(weights))
        stored = _layer_of(model, load, number)
        multiplies = {
            "weights": multiplied_by(stored),
            "exact": rounded_inputs(stored, int8=number >= model.fp16_layers),
        }
        own = None
        if turn is not None:
            given = x @ turn
            added = run_layer(model, layer, stored, inv_freq[1], given, multiply=multiplies["weights"])
            own = relative_error(after - x, (added - given) @ turn.T)
        for name, multiply in multiplies.items():
            streams[name] = run_layer(model, layer, stored, inv_freq[1], streams[name], multiply=multiply)
        total = None if turn is None else relative_error(after, streams["weights"] @ turn.T)
        errors.append(LayerError(own, total))
        x = after
        on_layer(1)
    norm, head = source.head()
    reference = final_norm(original, norm, x), head.astype(np.float32)
    losses, scores = _scores(model, load, tokens, reference, streams)
    perplexity = float(np.exp(losses.mean()))
    return Evaluation(tokens.size, len(tokens), perplexity, scores, errors)


def rounded_inputs(weights: Mapping[str, Floats], *, int8: bool) -> Multiply:
    """Return the multiplication by weights, inputs rounded as INT4 matmuls have it (LLQ-ACT-1, LLQ-ACT-2)."""

    def multiply(name: str, x: Floats, tokens: NDArray[np.intp] | None) -> Floats:  # noqa: ARG001
        if not int8:
            return round_binary16(x).astype(np.float32) @ weights[name].T
        q, s = quantize_int8(x)
        return np.asarray(q.astype(np.float32) @ weights[name].T * s.astype(np.float32))

    return multiply


def relative_error(exact: Floats, found: Floats) -> float:
    """Return the squared norm of the difference over that of `exact`."""
    energy = float(np.square(exact, dtype=np.float64).sum())
    return float(np.square(found - exact, dtype=np.float64).sum()) / energy if energy else 0.0


def _scores(
    model: Model,
    load: Load,
    tokens: NDArray[np.int64],
    reference: tuple[Floats, Floats],
    streams: Mapping[str, Floats],
) -> tuple[NDArray[np.float64], dict[str, Score]]:
    """Return the original's losses [sequences, positions] and the score of each stream."""
    norm = load("norm")
    head = load("embedding" if model.tied_embeddings else "lm_head")
    hidden = {name: final_norm(model, norm, stream) for name, stream in streams.items()}
    hidden["exact"] = round_binary16(hidden["exact"]).astype(np.float32)
    shape = (len(tokens), tokens.shape[1] - 1)
    losses = np.empty(shape)
    found = {name: Positions(np.empty(shape), np.empty(shape), np.empty(shape, np.bool_)) for name in hidden}
    for number, ids in enumerate(tokens):  # logits of one sequence at a time
        each, following = np.arange(len(ids) - 1), ids[1:]
        log_p = log_softmax(reference[0][number, :-1] @ reference[1].T)
        p, top = np.exp(log_p), log_p.argmax(axis=-1)
        losses[number] = -log_p[each, following]
        for name, positions in found.items():
            log_q = log_softmax(hidden[name][number, :-1] @ head.T)
            positions.losses[number] = -log_q[each, following]
            positions.same[number] = log_q.argmax(axis=-1) == top
            positions.divergences[number] = np.einsum("tv,tv->t", p, log_p - log_q)
    return losses, {name: positions.score(losses) for name, positions in found.items()}


def _check_same(original: Model, model: Model) -> None:
    for name in ("vocab_size", "hidden_size", "num_heads", "num_kv_heads", "head_dim"):
        if getattr(model, name) != getattr(original, name):
            raise ValueError(
                f"the package's {name} is {getattr(model, name)} and the checkpoint's "
                f"{getattr(original, name)}: give the checkpoint that it was made of"
            )
    if len(model.layers) != len(original.layers):
        raise ValueError(
            f"the package has {len(model.layers)} layers and the checkpoint {len(original.layers)}: "
            "give the checkpoint that it was made of"
        )


def _rotation(original: Floats, stored: Floats) -> Floats | None:
    """Return the orthogonal R, float32 [hidden, hidden], with stored = original R.

    None if there is none, or if the rows of the embedding are too few to tell it.
    """
    if relative_error(original, stored) < _SAME_EMBEDDING**2:
        return np.eye(original.shape[1], dtype=np.float32)
    u, strengths, vt = np.linalg.svd((original.T @ stored).astype(np.float64))
    turn = (u @ vt).astype(np.float32)
    told = strengths[-1] > _SAME_EMBEDDING**2 * strengths[0]
    return turn if told and relative_error(original, stored @ turn.T) < _SAME_EMBEDDING**2 else None


def _layer_of(model: Model, load: Load, number: int) -> Weights:
    return {
        name: tensor.astype(np.float32)
        for name, tensor in TransformedModel(model, load, []).layer(number).items()
    }


def _inv_freq(model: Model, load: Load) -> Floats | None:
    ropes = any(layer.attention.rope for layer in model.layers)
    return load(INV_FREQ).astype(np.float64) if ropes else None
