"""Text that a model generates from a prompt with the top-1 token at every step."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from llq_format.evaluation.rounded_inputs import rounded_inputs
from llq_format.exporting.transforms import TransformedModel
from llq_format.metadata.model import INV_FREQ, Model
from llq_format.reference.activations import round_binary16
from llq_format.reference.batch import Floats, final_norm, multiplied_by, run_layer

Load = Callable[[str], NDArray[np.floating]]

LARGEST = 2_000_000_000
"""Maximum number of weights of a model for samples: all its layers are in memory in binary32."""


def beginnings(
    tokens: NDArray[np.int64], bos: int | None, length: int, ends_sentence: Callable[[int], bool]
) -> NDArray[np.int64]:
    """Return passages of `length` tokens from the first, middle and last sequence, [passages, length].

    tokens: [sequences, positions]; each sequence begins with `bos`, if there is one. A passage begins with
    `bos`, and continues after the first token that ends a sentence, or at the start of the sequence. The
    result has fewer passages if there are fewer sequences, and none if they are too short.
    """
    size = length - (bos is not None)
    if tokens.shape[1] < length:
        return np.empty((0, length), np.int64)
    passages = []
    for number in sorted({0, len(tokens) // 2, len(tokens) - 1}):
        ids = tokens[number, bos is not None :]
        starts = (at + 1 for at, token in enumerate(ids[: len(ids) - size]) if ends_sentence(int(token)))
        start = next(starts, 0)
        passage = ids[start : start + size]
        passages.append(passage if bos is None else np.concatenate([[bos], passage]))
    return np.stack(passages)


def continuations(  # noqa: PLR0913  # a model and its options
    model: Model,
    load: Load,
    prompts: NDArray[np.int64],
    count: int,
    *,
    exact: bool,
    on_token: Callable[[int], None] = lambda _count: None,
) -> NDArray[np.int64]:
    """Return the `count` tokens that follow each prompt, [prompts, count], by greedy choice.

    prompts: [prompts, tokens], all of one length; load: weights by their LLQ names; exact: whether inputs of
    matrices are rounded as the specification states; on_token: called after each token, with 1. All
    arithmetic is in binary32, and each token is computed from the whole text before it.
    """
    source = TransformedModel(model, load, [])
    layers: list[Mapping[str, Floats]] = [
        {name: tensor.astype(np.float32) for name, tensor in source.layer(number).items()}
        for number in range(len(model.layers))
    ]
    embedding = source.embedding().astype(np.float32)
    norm, head = (tensor.astype(np.float32) for tensor in source.head())
    ropes = any(layer.attention.rope for layer in model.layers)
    inv_freq = load(INV_FREQ).astype(np.float64) if ropes else None
    text = prompts
    for _ in range(count):
        x = embedding[text]
        for number, (layer, weights) in enumerate(zip(model.layers, layers, strict=True)):
            multiply = (
                rounded_inputs(weights, int8=number >= model.fp16_layers) if exact else multiplied_by(weights)
            )
            x = run_layer(model, layer, weights, inv_freq, x, multiply=multiply)
        last = final_norm(model, norm, x[:, -1])
        last = round_binary16(last).astype(np.float32) if exact else last
        text = np.concatenate([text, (last @ head.T).argmax(axis=-1)[:, None]], axis=1)
        on_token(1)
    return text[:, prompts.shape[1] :]
