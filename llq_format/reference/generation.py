"""Generation of tokens (spec: Decoder, Generation)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from llq_format.reference.activations import Array
from llq_format.reference.adjusting import Adjustment, Mask, choose_adjusted
from llq_format.reference.forward import Decoder
from llq_format.reference.sampling import Sampling, choose

__all__ = ["Choice", "Sampling", "choose", "generate"]

MaskHook = Callable[[Sequence[int]], Mask | None]
"""Return the ids that are allowed after the ids of the output so far; None allows all."""


@dataclass(frozen=True)
class Choice:
    """How tokens are chosen from logits.

    mask: called before each choice. on_logits: called with each token before it is yielded, and with the
    logits [vocab_size] that it was chosen from, before they were adjusted.
    """

    sampling: Sampling = field(default_factory=Sampling)
    adjustment: Adjustment = field(default_factory=Adjustment)
    mask: MaskHook | None = None
    on_logits: Callable[[int, Array], None] | None = None

    @property
    def adjusts(self) -> bool:
        """Whether logits are adjusted before a choice."""
        has_min_p = self.sampling.temperature > 0 and self.sampling.min_p > 0
        return has_min_p or self.adjustment.changes or self.mask is not None


def generate(
    decoder: Decoder,
    prompt: list[int],
    max_tokens: int,
    eos_token_ids: tuple[int, ...] = (),
    choice: Choice | None = None,
) -> Iterator[int]:
    """Yield the tokens that follow a prompt, as far as LLQ-GEN-2 states.

    Raises ContextError if the prompt does not fit into the context of the model, and ValueError for biases
    and masks that LLQ-GEN-13 refuses.
    """
    choice = choice or Choice()
    decoder.check_positions(len(prompt))
    sequence = decoder.start()
    tokens, ids = prompt, list(prompt)
    # The last token of a full context is chosen and never computed.
    end = min(len(prompt) + max_tokens, decoder.model.context_length + 1)
    for position in range(len(prompt), end):
        last = decoder.hidden(tokens, sequence)[-1:]  # logits are needed only at the last position
        logits = decoder.head(last)[0]
        if choice.adjusts:
            mask = choice.mask(ids[len(prompt) :]) if choice.mask else None
            token = choose_adjusted(
                logits, choice.sampling, choice.adjustment, position, sequence=ids, mask=mask
            )
        else:
            token = choose(logits, choice.sampling, position)
        if token in eos_token_ids:
            return
        if choice.on_logits:
            choice.on_logits(token, logits)
        yield token
        ids.append(token)
        tokens = [token]
