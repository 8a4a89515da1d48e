"""Masks of allowed tokens for a JSON Schema, made by the library `llguidance` (`pip install llguidance`).

An instance is called with the ids of the output so far. It returns the words of a mask (LLQ-GEN-11), as the
option `mask` of a generation needs them. In Python:

    Choice(mask=JsonSchemaMask(tokenizer_json, schema, vocab_size, eos_token_ids))
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WORD_BITS = 32


class JsonSchemaMask:
    """A hook that allows the tokens with which a text can still become an instance of a JSON Schema."""

    def __init__(
        self, tokenizer: Path, schema: Mapping[str, Any], vocab_size: int, eos_token_ids: Sequence[int]
    ) -> None:
        """Compile the schema for a `tokenizer.json`. Raises ValueError if the library refuses the schema."""
        import llguidance  # noqa: PLC0415  # a dependency of this example alone

        self._words = -(-vocab_size // WORD_BITS)
        vocabulary = llguidance.LLTokenizer(str(tokenizer), n_vocab=vocab_size, eos_token=list(eos_token_ids))
        grammar = llguidance.LLMatcher.grammar_from_json_schema(json.dumps(schema))
        self._matcher = llguidance.LLMatcher(vocabulary, grammar)
        self._check()

    def __call__(self, ids: Sequence[int]) -> NDArray[np.uint32]:
        """Return the ids that are allowed after the ids of the output so far."""
        self._matcher.reset()
        if ids:
            self._matcher.consume_tokens(list(ids))
        mask = np.frombuffer(self._matcher.compute_bitmask(), np.uint32)
        self._check()
        return mask[: self._words].copy()

    def _check(self) -> None:
        if self._matcher.is_error():
            raise ValueError(self._matcher.get_error())
