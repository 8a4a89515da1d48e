"""The evaluation of a package and its checkpoint on one text, with one layer of each in memory at a time.

Computation is in binary32. The residual streams are compared in the original's coordinates: if the package
was rotated, its embedding reveals the rotation.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llq_format.evaluation.coordinates import rotation
from llq_format.evaluation.rounded_inputs import rounded_inputs
from llq_format.evaluation.statistics import Positions, Score, log_softmax, relative_error
from llq_format.exporting.checkpoint import Checkpoint
from llq_format.exporting.transforms import TransformedModel
from llq_format.metadata.model import INV_FREQ, Model, tensor_roles
from llq_format.package.reader import Package
from llq_format.reference.activations import round_binary16
from llq_format.reference.batch import Floats, final_norm, multiplied_by, run_layer

_POSITIONS = 64
"""Number of positions of a sequence whose logits, float64 [positions, vocab_size], are in memory at once."""

Weights = dict[str, NDArray[np.float32]]
Load = Callable[[str], NDArray[np.float32]]


@dataclass(frozen=True)
class LayerError:
    """Squared error divided by squared norm, for a layer of the package with unrounded inputs.

    own: error of the layer's contribution, computed from the original's residual stream; accumulated: error
    of the stream after the layer. None if the package's coordinates are not known.
    """

    own: float | None
    accumulated: float | None


@dataclass(frozen=True)
class Evaluation:
    """Scores of a package; `weights` with unrounded inputs of matrices, `exact` with inputs as specified."""

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
    on_step: Callable[[int], None] = lambda _count: None,
) -> Evaluation:
    """Compare a package with its checkpoint.

    tokens: [sequences, positions], at least 2 positions in each sequence. on_step: called after each layer,
    and after each sequence whose logits were compared, with 1. Raises ValueError for a package of another
    model, LLQError for an invalid package.
    """
    if package.metadata.model is None:
        raise ValueError("this package has no model: an evaluation requires a model package")
    return evaluate_weights(package.metadata.model, package.get_tensor, checkpoint, tokens, on_step)


def evaluate_weights(  # noqa: PLR0913  # two models and the options
    model: Model,
    load: Load,
    checkpoint: Checkpoint,
    tokens: NDArray[np.int64],
    on_step: Callable[[int], None] = lambda _count: None,
    *,
    layer_errors: bool = True,
) -> Evaluation:
    """Compare weights, loaded by their LLQ names, with those of a checkpoint; see `evaluate`.

    layer_errors: whether the error of each layer is measured too, which takes a quarter of the time;
    otherwise `layers` is empty.
    """
    original = Model.from_json(checkpoint.model)
    _check_same(original, model)
    source = TransformedModel(original, checkpoint.load, [])
    embeddings = checkpoint.load("embedding"), load("embedding")
    turn = rotation(*embeddings)
    x, first = embeddings[0][tokens], embeddings[1][tokens]
    streams = {"weights": first, "exact": first}
    inv_freq = _inv_freq(original, checkpoint.load), _inv_freq(model, load)
    errors = []
    for number, layer in enumerate(model.layers):
        weights = {name: value.astype(np.float32) for name, value in source.layer(number).items()}
        config = original.layers[number]
        exact_output = run_layer(original, config, weights, inv_freq[0], x, multiply=multiplied_by(weights))
        stored = _layer_of(model, load, number)
        multiplies = {
            "weights": multiplied_by(stored),
            "exact": rounded_inputs(stored, int8=number >= model.fp16_layers),
        }
        own = None
        if layer_errors and turn is not None:
            stored_input = x @ turn
            added = run_layer(model, layer, stored, inv_freq[1], stored_input, multiply=multiplies["weights"])
            own = relative_error(exact_output - x, (added - stored_input) @ turn.T)
        for name, multiply in multiplies.items():
            streams[name] = run_layer(model, layer, stored, inv_freq[1], streams[name], multiply=multiply)
        if layer_errors:
            total = None if turn is None else relative_error(exact_output, streams["weights"] @ turn.T)
            errors.append(LayerError(own, total))
        x = exact_output
        on_step(1)
    norm, head = source.head()
    reference = final_norm(original, norm, x), head.astype(np.float32)
    losses, scores = _scores(model, load, tokens, reference, streams, on_step)
    perplexity = float(np.exp(losses.mean()))
    return Evaluation(tokens.size, len(tokens), perplexity, scores, errors)


def _scores(  # noqa: PLR0913, PLR0917  # two models and their results
    model: Model,
    load: Load,
    tokens: NDArray[np.int64],
    reference: tuple[Floats, Floats],
    streams: Mapping[str, Floats],
    on_step: Callable[[int], None],
) -> tuple[NDArray[np.float64], dict[str, Score]]:
    """Return the original's losses [sequences, positions] and the score of each stream."""
    norm = load("norm")
    head = load("embedding" if model.tied_embeddings else "lm_head")
    hidden = {name: final_norm(model, norm, stream) for name, stream in streams.items()}
    hidden["exact"] = round_binary16(hidden["exact"]).astype(np.float32)
    shape = (len(tokens), tokens.shape[1] - 1)
    losses = np.empty(shape)
    scores = {name: Positions(np.empty(shape), np.empty(shape), np.empty(shape, np.bool_)) for name in hidden}
    for number, ids in enumerate(tokens):
        for start in range(0, shape[1], _POSITIONS):
            part = slice(start, min(start + _POSITIONS, shape[1]))
            indices, following = np.arange(part.stop - start), ids[start + 1 : part.stop + 1]
            log_p = log_softmax(reference[0][number, part] @ reference[1].T)
            p, top = np.exp(log_p), log_p.argmax(axis=-1)
            losses[number, part] = -log_p[indices, following]
            for name, positions in scores.items():
                log_q = log_softmax(hidden[name][number, part] @ head.T)
                positions.losses[number, part] = -log_q[indices, following]
                positions.same[number, part] = log_q.argmax(axis=-1) == top
                np.subtract(log_p, log_q, out=log_q)
                positions.divergences[number, part] = np.einsum("tv,tv->t", p, log_q)
        on_step(1)
    return losses, {name: positions.score(losses) for name, positions in scores.items()}


def _check_same(original: Model, model: Model) -> None:
    for name in ("vocab_size", "hidden_size", "num_heads", "num_kv_heads", "head_dim"):
        if getattr(model, name) != getattr(original, name):
            raise ValueError(
                f"the package's {name} is {getattr(model, name)} and the checkpoint's "
                f"{getattr(original, name)}: use the checkpoint that the package was exported from"
            )
    if len(model.layers) != len(original.layers):
        raise ValueError(
            f"the package has {len(model.layers)} layers and the checkpoint {len(original.layers)}: "
            "use the checkpoint that the package was exported from"
        )
    shapes = {role.name: role.shape for role in tensor_roles(original)}
    for role in tensor_roles(model):
        if role.name != "lm_head" and shapes.get(role.name) != role.shape:
            theirs = list(shapes[role.name]) if role.name in shapes else "missing"
            raise ValueError(
                f"{role.name} is {list(role.shape)} in the package and {theirs} in the checkpoint: "
                "use the checkpoint that the package was exported from"
            )


def _layer_of(model: Model, load: Load, number: int) -> Weights:
    return {
        name: tensor.astype(np.float32)
        for name, tensor in TransformedModel(model, load, []).layer(number).items()
    }


def _inv_freq(model: Model, load: Load) -> Floats | None:
    ropes = any(layer.attention.rope for layer in model.layers)
    return load(INV_FREQ).astype(np.float64) if ropes else None
