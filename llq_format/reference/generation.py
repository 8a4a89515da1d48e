"""Tokens one after another (spec: Decoder, Generation)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from llq_format.reference.activations import Array
from llq_format.reference.forward import Decoder


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen from logits; temperature 0 is greedy."""

    temperature: float = 0.0
    top_k: int | None = None
    top_p: float = 1.0
    seed: int = 0


def choose(logits: Array, sampling: Sampling, rng: np.random.Generator) -> int:
    """Return the id of the next token, from logits float64 [vocab_size].

    Greedy takes the greatest logit, the lowest id among equals (LLQ-GEN-1). Else tokens are ranked by logit,
    cut to top_k and to the fewest whose probabilities reach top_p, and one is drawn.
    """
    if sampling.temperature == 0:
        return int(logits.argmax())
    order = np.argsort(-logits, kind="stable")[: sampling.top_k]
    scaled = logits[order] / sampling.temperature
    weights = np.exp(scaled - scaled[0])
    reach = np.cumsum(weights / weights.sum())
    kept = int(np.searchsorted(reach, sampling.top_p)) + 1
    weights = weights[:kept]
    reach = np.cumsum(weights / weights.sum())
    return int(order[min(int(np.searchsorted(reach, rng.random(), side="right")), len(weights) - 1)])


def generate(
    decoder: Decoder,
    prompt: list[int],
    max_tokens: int,
    eos_token_ids: tuple[int, ...] = (),
    sampling: Sampling | None = None,
) -> Iterator[int]:
    """Yield the tokens that follow a prompt, until an end token or `max_tokens` of them (LLQ-GEN-2)."""
    sampling = sampling or Sampling()
    rng = np.random.default_rng(sampling.seed)
    sequence = decoder.start()
    tokens = prompt
    for _ in range(max_tokens):
        last = decoder.hidden(tokens, sequence)[-1:]  # logits are wanted at the last position alone
        logits = decoder.head(last)[0]
        token = choose(logits, sampling, rng)
        if token in eos_token_ids:
            return
        yield token
        tokens = [token]
