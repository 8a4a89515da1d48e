"""Text samples that a checkpoint and its package generate from the same prompts."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from llq_format.evaluation.eval_page import Sample
from llq_format.evaluation.samples import LARGEST, beginnings, continuations
from llq_format.exporting.checkpoint import Checkpoint
from llq_format.metadata.model import Model, tensor_roles
from llq_format.metadata.tokenizer import TokenizerFiles
from llq_format.package.reader import Package
from llq_format.reference.text import text_of

_ENDS = (".", "?", "!", ".”", '."', "?”", "!”")


def written_samples(  # noqa: PLR0913, PLR0917  # two models and a text
    package: Package,
    checkpoint: Checkpoint,
    tokens: NDArray[np.int64],
    tokenizer: TokenizerFiles | None,
    prompt: int,
    following: int,
    on_token: Callable[[int], None] = lambda _count: None,
) -> tuple[list[Sample], str]:
    """Return at most three samples, or no samples and the reason.

    tokens: [sequences, positions], the source of prompts of `prompt` tokens. Both models continue each prompt
    with `following` tokens. on_token: called after each of these tokens, with 1.
    """
    model = package.metadata.model
    if model is None:
        raise ValueError("this package has no model: text samples require a model package")
    if tokenizer is None:
        return [], "Neither the package nor the checkpoint has a tokenizer, so no text can be shown."
    if sum(math.prod(role.shape) for role in tensor_roles(model)) > LARGEST:
        return (
            [],
            f"Samples are generated only for models of up to {LARGEST:,} weights, which fit into memory.",
        )
    data, bos = tokenizer.tokenizer_json, tokenizer.bos_token_id
    passages = beginnings(
        tokens, bos, prompt + following, lambda token: text_of(data, [token]).rstrip().endswith(_ENDS)
    )
    if not len(passages):
        return [], "The text is too short for samples."
    prompts = passages[:, :prompt]
    original = continuations(
        Model.from_json(checkpoint.model), checkpoint.load, prompts, following, exact=False, on_token=on_token
    )
    stored = continuations(model, package.get_tensor, prompts, following, exact=True, on_token=on_token)
    return [
        Sample(*(text_of(data, ids.tolist()) for ids in parts))
        for parts in zip(prompts, passages[:, prompt:], original, stored, strict=True)
    ], ""
