"""Generate: greedy choice and where it ends."""

from __future__ import annotations

from vectors.cases.logits import LLAMA_4, WHOLE, dense, model, with_raw
from vectors.kit.computed import computed
from vectors.kit.sequences import Generate, Subject
from vectors.kit.weights import Style

SPLIT = Style(gains={"lm_head": 2.0, "qkv": 1.5}, dtypes={"lm_head": "f16"})
CHATTY = Subject(model(1, dense(), tied_embeddings=False), 5, SPLIT)
PROMPT = [1, 5, 9, 2]  # goes on with 8, 30, 0, 38, 14, 8


@computed("generate", "LLQ-GEN-1", "LLQ-GEN-2", cases={"1": 1, "6": 6})
def generation_reaches_max_tokens(max_tokens: int) -> Generate:
    """No end token is chosen: the output MUST have exactly max_tokens tokens ({})."""
    return Generate(CHATTY, PROMPT, max_tokens, [39])


@computed("generate", "LLQ-GEN-2")
def generation_without_end_tokens() -> Generate:
    """eos_token_ids is empty: the output MUST end with max_tokens tokens."""
    return Generate(CHATTY, PROMPT, 5, [])


@computed("generate", "LLQ-GEN-1", "LLQ-GEN-2")
def generation_of_twenty_tokens() -> Generate:
    """max_tokens is 20: the output MUST have 20 tokens, and one is the last token of the vocabulary."""
    return Generate(CHATTY, PROMPT, 20, [])


ENDS = {
    "after three tokens": [38],
    "at the first of all": [8],
    "at token 0": [0],
    "at the last of several": [2, 39, 1, 38],
    "at the first of several": [14, 38, 39],
}


@computed("generate", "LLQ-GEN-2", cases=ENDS)
def generation_ends(eos: list[int]) -> Generate:
    """An end token is chosen {}: it MUST NOT be part of the output; one in the prompt has no effect."""
    return Generate(CHATTY, PROMPT, 6, eos)


@computed("generate", "LLQ-GEN-2", cases={"at the limit": 3, "just before the limit": 4})
def generation_end_token(max_tokens: int) -> Generate:
    """The end token would be the fourth token, {}: the output MUST be three tokens in both cases."""
    return Generate(CHATTY, PROMPT, max_tokens, [38])


def of_context(positions: int) -> Subject:
    """Return the model with another context."""
    return Subject(model(1, dense(), tied_embeddings=False, context_length=positions), 5, SPLIT)


CONTEXTS = {"with room for three tokens": 6, "that the prompt fills": 4}


@computed("generate", "LLQ-GEN-2", "LLQ-DEC-22", cases=CONTEXTS)
def generation_in_a_context(positions: int) -> Generate:
    """The context is one {}: generation MUST end after the token that follows a full context.

    A prompt with a token more than the context MUST be refused.
    """
    return Generate(of_context(positions), PROMPT, 20, [39], too_long=(PROMPT * 2)[: positions + 1])


@computed("generate", "LLQ-GEN-2", "LLQ-DEC-22")
def generation_to_the_last_token_of_a_context() -> Generate:
    """max_tokens is the number of tokens that fit: the last one is chosen and never computed."""
    return Generate(of_context(8), PROMPT, 5, [39])


@computed("generate", "LLQ-GEN-1")
def generation_from_the_last_position() -> Generate:
    """Each position of the prompt would choose another token: the last position MUST decide."""
    return Generate(CHATTY, [33, 14, 28, 31], 5, [39])


def twins(index: int, value: float) -> float:
    """Return an lm_head whose rows 9 and 21 have one element other than 0, and the same."""
    row, column = divmod(index, 32)
    return (TWIN if column == 3 else 0.0) if row in {9, 21} else value


TWIN = 4.0


@computed("generate", "LLQ-GEN-1", "LLQ-GEN-2")
def generation_with_a_tie() -> Generate:
    """Rows 9 and 21 of lm_head are equal, so their logits are equal: token 9 MUST be chosen.

    The margin is that between logits that differ. Token 21 is an end token.
    """
    subject = Subject(model(1, dense(), tied_embeddings=False), 5, SPLIT, with_raw("lm_head", twins))
    return Generate(subject, PROMPT, 4, [21])


@computed("generate", "LLQ-GEN-1", "LLQ-DEC-10", "LLQ-DEC-17")
def generation_across_chunks() -> Generate:
    """All features of Llama 4, binary16 throughout: prompt and output cross boundaries of chunks."""
    return Generate(Subject(model(4, *LLAMA_4, **WHOLE), 3, SPLIT), [1, 5, 9, 2, 6], 6, [39])
