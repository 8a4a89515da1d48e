"""Logits of wide models: rows of many blocks, wide norms and heads."""

from __future__ import annotations

from vectors.cases.logits import UNGATED, dense, model
from vectors.kit.computed import computed
from vectors.kit.recipe import Recipe, Run
from vectors.kit.recipe_logits import RecipeLogits, RecipeSubject
from vectors.kit.recipe_weights import RecipeStyle, planted
from vectors.kit.weights import bits16

FP16_LAYERS = {"binary16": 1, "INT8": 0}
TOKENS = [32, 31, 35, 13, 7, 16]
PIECES = (6,), (4, 1, 1)


def late_large(recipe: Recipe) -> Recipe:
    """Let the last 100 elements of each embedding be large: a norm without them is another one."""
    if recipe.name == "embedding":
        runs = [Run(1100 * token + 1000, 1, 100, bits16(2.0 + token / 16)) for token in range(40)]
        return planted(recipe, "bits", *runs)
    return recipe


@computed(
    "logits",
    *("LLQ-NUM-4", "LLQ-DEC-3", "LLQ-DEC-4", "LLQ-DEC-9", "LLQ-DEC-11", "LLQ-DEC-16", "LLQ-ACT-8"),
    cases=FP16_LAYERS,
)
def wide_residual_stream(fp16_layers: int) -> RecipeLogits:
    """A hidden size of 1100, heads of 128 elements, an INT4 lm_head; inputs {}, without margin."""
    shape = {"hidden_size": 1100, "num_heads": 2, "num_kv_heads": 1, "head_dim": 128}
    style = RecipeStyle(gains={"qkv": 1.5}, zero_points=(7, 8))
    described = model(fp16_layers, dense(72), tied_embeddings=False, **shape)
    return RecipeLogits(RecipeSubject(described, 1, style, late_large), TOKENS, PIECES)


POSITIVE = RecipeStyle(gains={"up": 2.0**-6, "down": 2.0**-4}, zero_points=(0,))
"""Weights of at least 0, so that sums of many products are exact enough to compare."""


def positive(recipe: Recipe) -> Recipe:
    """Let embeddings be positive, as the weights are."""
    return planted(recipe, "bits", sign_bit=None) if recipe.name == "embedding" else recipe


@computed("logits", "LLQ-NUM-4", "LLQ-DEC-12", "LLQ-ACT-6", "LLQ-ACT-8", cases=FP16_LAYERS)
def wide_ffn(fp16_layers: int) -> RecipeLogits:
    """An intermediate size of 16410, which is 257 blocks; inputs {}, without margin."""
    shape = {"hidden_size": 8, "num_heads": 1, "num_kv_heads": 1, "head_dim": 8}
    described = model(fp16_layers, dense(16410, **UNGATED), **shape)
    return RecipeLogits(RecipeSubject(described, 1, POSITIVE, positive), TOKENS, PIECES)
