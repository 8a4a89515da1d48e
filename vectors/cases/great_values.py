"""Logits of models whose keys and values exceed binary16."""

from __future__ import annotations

from vectors.cases.logits import dense, model
from vectors.kit.computed import computed
from vectors.kit.recipe import Recipe, Run
from vectors.kit.recipe_logits import RecipeLogits, RecipeSubject
from vectors.kit.recipe_weights import RecipeStyle, planted
from vectors.kit.weights import bits16

QUERIES, KEYS, VALUES = range(3)
"""The block rows of qkv, since the only head has 64 elements."""


def great(recipe: Recipe) -> Recipe:
    """Let keys and values be near 10^5, queries near 10^-4; what follows makes up for it."""
    if recipe.name.endswith("qkv"):
        scales = {QUERIES: 2.0**-13, KEYS: 2.0**11, VALUES: 2.0**11}
        return planted(recipe, "scale", *[Run(i, 1, 1, bits16(value)) for i, value in scales.items()])
    return recipe


@computed("logits", "LLQ-NUM-4", "LLQ-NUM-1", "LLQ-NUM-2", "LLQ-DEC-9", "LLQ-DEC-11")
def great_keys_and_values_int8() -> RecipeLogits:
    """Keys and values above 65504, which a binary32 KV cache holds; INT8, without margin.

    In a binary16 KV cache they MUST become 65504 of either sign, and never infinite.
    """
    shape = {"num_heads": 1, "num_kv_heads": 1, "head_dim": 64}
    style = RecipeStyle({"output": 2.0**-8}, zero_points=(7, 8))
    subject = RecipeSubject(model(0, dense(16), **shape), 1, style, great)
    return RecipeLogits(subject, [32, 31, 35, 13, 7, 16], ((6,), (1,) * 6))
