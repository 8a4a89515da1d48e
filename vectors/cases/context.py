"""Logits of long sequences: more than 1,024 positions without chunks, and attention that reaches far back."""

from __future__ import annotations

from vectors.cases.logits import dense, model
from vectors.kit.computed import computed
from vectors.kit.noise import noise
from vectors.kit.recipe_logits import RecipeLogits, RecipeSubject
from vectors.kit.recipe_weights import RecipeStyle

LENGTH = 1153
SHAPE = {"vocab_size": 48, "hidden_size": 64, "num_heads": 1, "num_kv_heads": 1, "head_dim": 64}
SHARP = RecipeStyle(gains={"qkv": 3.0})
"""Scores so different that a few keys, anywhere in the sequence, have most of the weight."""

POSITIONS = (*range(0, LENGTH - 16, 31), *range(LENGTH - 16, LENGTH))
PIECES = (LENGTH,), (1000, 141, *(1,) * 12)


@computed("logits", "LLQ-NUM-4", "LLQ-DEC-5", "LLQ-DEC-10", "LLQ-DEC-11", "LLQ-DEC-17")
def long_context() -> RecipeLogits:
    """1153 positions without chunks, a head of 64 elements, few keys with most of the weight; binary16."""
    shape = {**SHAPE, "context_length": 2048}
    tokens = [noise(3, index) % 48 for index in range(LENGTH)]
    return RecipeLogits(RecipeSubject(model(1, dense(32), **shape), 1, SHARP), tokens, PIECES, POSITIONS)
