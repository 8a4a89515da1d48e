"""A search for prompts on which all legal executions agree closely, although inputs are rounded to binary16.

A value near a rounding boundary is rounded either way by legal executions, which widens the bound of the
logits a thousandfold. Of small models some prompts keep clear of all boundaries: those in `cases.tight` do.
"""

from __future__ import annotations

import numpy as np

from vectors.decoder64.decoder import Decoder
from vectors.decoder64.execution import Disturbed, Exact

TRIALS = 160
"""Number of legal executions that a prompt must satisfy, with each KV cache."""

FIRST_SEED = 1000
"""The executions of the search are not those of the ensemble that gives the bound."""


def agree(decoder: Decoder, tokens: list[int], limit: float, *, cache16: bool) -> bool:
    """Return whether the last logits of legal executions differ by no more than a limit.

    limit: relative to the largest logit.
    """
    last = [len(tokens) - 1]
    expected = decoder.logits(tokens, Exact(), last)
    most = limit * float(np.abs(expected).max())
    executions = (Disturbed(FIRST_SEED + seed, cache16=cache16) for seed in range(TRIALS))
    return all(np.abs(decoder.logits(tokens, each, last) - expected).max() <= most for each in executions)


def prompt(decoder: Decoder, length: int, limit: float) -> list[int]:
    """Return a prompt, each token the first on which legal executions agree, with either KV cache.

    Raises ValueError if a position has no such token.
    """
    tokens: list[int] = []
    order = np.random.Generator(np.random.PCG64(length))
    for position in range(length):
        for token in order.permutation(decoder.model["vocab_size"]).tolist():
            candidate = [*tokens, token]
            if all(agree(decoder, candidate, limit, cache16=cache16) for cache16 in (False, True)):
                tokens = candidate
                break
        else:
            raise ValueError(f"position {position}: no token keeps the limit")
    return tokens
