"""Generation of tokens (spec: Decoder, Generation)."""

from collections.abc import Iterator

from llq_format.reference.forward import Decoder
from llq_format.reference.sampling import Sampling, choose

__all__ = ["Sampling", "choose", "generate"]


def generate(
    decoder: Decoder,
    prompt: list[int],
    max_tokens: int,
    eos_token_ids: tuple[int, ...] = (),
    sampling: Sampling | None = None,
) -> Iterator[int]:
    """Yield the tokens that follow a prompt, until an end token or `max_tokens` of them (LLQ-GEN-2)."""
    sampling = sampling or Sampling()
    sequence = decoder.start()
    tokens = prompt
    for position in range(len(prompt), len(prompt) + max_tokens):
        last = decoder.hidden(tokens, sequence)[-1:]  # logits are needed only at the last position
        logits = decoder.head(last)[0]
        token = choose(logits, sampling, position)
        if token in eos_token_ids:
            return
        yield token
        tokens = [token]
