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
    """Yield the tokens that follow a prompt, as far as LLQ-GEN-2 states.

    Raises ContextError if the prompt does not fit into the context of the model.
    """
    sampling = sampling or Sampling()
    decoder.check_positions(len(prompt))
    sequence = decoder.start()
    tokens = prompt
    # The last token of a full context is chosen and never computed.
    end = min(len(prompt) + max_tokens, decoder.model.context_length + 1)
    for position in range(len(prompt), end):
        last = decoder.hidden(tokens, sequence)[-1:]  # logits are needed only at the last position
        logits = decoder.head(last)[0]
        token = choose(logits, sampling, position)
        if token in eos_token_ids:
            return
        yield token
        tokens = [token]
