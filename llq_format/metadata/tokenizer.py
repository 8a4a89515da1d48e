"""The tokenizer of a package, read from a checkpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TokenizerFiles:
    """tokenizer.json as bytes, and its description in the metadata.

    `bos_token_id` is the token that begins a text, or None if the model uses none. `eos_token_ids` are the
    tokens that end an answer, without repetition. `chat_template` is Jinja. `special_tokens` are texts by the
    names of the template's variables; None leaves the texts to the ids.
    """

    tokenizer_json: bytes
    bos_token_id: int | None
    eos_token_ids: Sequence[int]
    chat_template: str | None
    special_tokens: Mapping[str, str] | None = None
