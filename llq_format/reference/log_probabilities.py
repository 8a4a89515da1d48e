"""Log-probabilities of tokens (spec: Execution program, Log-probabilities)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from llq_format.reference.activations import Array


@dataclass(frozen=True)
class TokenLogprob:
    """A token with its log-probability, and the most probable tokens with theirs."""

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the members as the JavaScript interface names them."""
        top = [{"token": token, "logprob": value} for token, value in self.top]
        return {"token": self.token, "logprob": self.logprob, "top": top}


def log_probabilities(logits: Array) -> Array:
    """Return the natural logarithms of the probabilities of all ids, float64 [vocab_size] (LLQ-GEN-14)."""
    shifted = logits - logits.max()
    normalized: Array = shifted - np.log(np.exp(shifted).sum())
    return normalized


def token_logprob(logits: Array, token: int, top: int) -> TokenLogprob:
    """Return the log-probability of a token, and those of the first `top` ids of the ranking."""
    values = log_probabilities(logits)
    ranked = np.argsort(-logits, kind="stable")[:top]
    return TokenLogprob(token, float(values[token]), tuple((int(i), float(values[i])) for i in ranked))
