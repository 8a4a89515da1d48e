"""Logits of small models and prompts on which all legal executions agree closely: small errors show.

`vectors.decoder64.search` found the prompts.
"""

from __future__ import annotations

from dataclasses import replace

from vectors.cases.logits import UNGATED, dense, model
from vectors.kit.computed import computed
from vectors.kit.recipe import Formula, Recipe, Run
from vectors.kit.recipe_logits import RecipeLogits, RecipeSubject
from vectors.kit.recipe_weights import RecipeStyle, planted
from vectors.kit.weights import bits16

SHAPE = {"vocab_size": 160, "hidden_size": 16, "num_heads": 2, "num_kv_heads": 1}
PIECES = (6,), (1,) * 6
QUIET = RecipeStyle(gains={"output": 2.0**-8}, zero_points=(7, 8))
"""Attention that hardly counts, so that a binary16 KV cache does not blur the rest."""

MOE = {"num_experts": 4, "shared_intermediate_size": 8}
THREE = dense(8), dense(8), dense(12)

EXPERTS = RecipeSubject(model(1, dense(12, moe=MOE), **SHAPE), 1, QUIET)
THREE_BINARY16 = RecipeSubject(model(3, *THREE, **SHAPE), 1, QUIET)
TWO_BINARY16 = RecipeSubject(model(2, *THREE, **SHAPE), 1, QUIET)
FOUR = RecipeSubject(model(3, *[dense(8)] * 3, dense(12), **SHAPE), 1, QUIET)
GELU = RecipeSubject(model(1, dense(12, **UNGATED), **SHAPE), 1, QUIET)


def negative_norms(recipe: Recipe) -> Recipe:
    """Let about half of the weights of each norm be negative."""
    if recipe.name.endswith("norm"):
        return planted(recipe, "bits", sign_bit=15)
    return recipe


NEGATIVE_NORMS = RecipeSubject(model(1, dense(12), **SHAPE), 1, QUIET, negative_norms)

FAR = dict.fromkeys(("gate_up", "down", "qkv"), 0.06)
FAR_ZERO_POINTS = RecipeSubject(
    model(1, dense(24)), 1, RecipeStyle({**FAR, "output": 2.0**-8}, zero_points=(-128, 127, -99, 101))
)


def unlikely_experts(recipe: Recipe) -> Recipe:
    """Let the router's values be near -12, and the experts' weights so large that their outputs count."""
    if recipe.name == "embedding":
        return planted(recipe, "bits", Run(0, 16, 160, bits16(2.0)))
    if recipe.name.endswith("router"):
        return planted(recipe, "bits", Run(0, 16, 4, bits16(-5.0)))
    if recipe.name.endswith("ffn_norm"):
        return planted(recipe, "bits", Run(0, 1, 1, bits16(1.0)))
    if ".experts." in recipe.name:
        return planted(recipe, "scale", base=recipe.formulas["scale"].base + (11 << 10))
    return recipe


UNLIKELY_EXPERTS = RecipeSubject(model(0, dense(12, moe=MOE), **SHAPE), 1, QUIET, unlikely_experts)


def small_gelu(recipe: Recipe) -> Recipe:
    """Let the inputs of gelu be near -2.5, where its value is small and erf near -1."""
    if recipe.name == "embedding":
        return planted(recipe, "bits", sign_bit=None)
    if recipe.name.endswith("up"):
        scale = Formula(bits16(2.5 / (12.5 * 16)), 0)
        return replace(recipe, formulas={**recipe.formulas, "scale": scale, "zero_point": Formula(20)})
    return recipe


SMALL_GELU = RecipeSubject(
    model(0, dense(12, **UNGATED), **SHAPE),
    1,
    replace(QUIET, gains={**QUIET.gains, "down": 64.0}),
    small_gelu,
)


@computed("logits", "LLQ-NUM-4", "LLQ-ACT-1", "LLQ-DEC-14", "LLQ-DEC-15")
def tight_experts_binary16() -> RecipeLogits:
    """Four experts and a shared one, binary16; legal executions agree closely."""
    return RecipeLogits(EXPERTS, [71, 83, 116, 149, 14, 89], PIECES)


@computed("logits", "LLQ-NUM-4", "LLQ-ACT-1")
def tight_third_layer_binary16() -> RecipeLogits:
    """Three binary16 layers; legal executions agree closely."""
    return RecipeLogits(THREE_BINARY16, [122, 72, 108, 17, 55, 106], PIECES)


@computed("logits", "LLQ-NUM-4", "LLQ-ACT-2")
def tight_third_layer_int8() -> RecipeLogits:
    """Three layers, the third one INT8; legal executions agree closely."""
    return RecipeLogits(TWO_BINARY16, [75, 75, 50, 4, 136, 20], PIECES)


@computed("logits", "LLQ-NUM-4", "LLQ-ACT-1", "LLQ-ACT-2")
def tight_fourth_layer_int8() -> RecipeLogits:
    """Three binary16 layers before one INT8 layer; legal executions agree closely."""
    return RecipeLogits(FOUR, [71, 51, 116, 158, 121, 66], PIECES)


@computed("logits", "LLQ-NUM-4", "LLQ-DEC-12", "LLQ-DEC-13")
def tight_gelu_binary16() -> RecipeLogits:
    """An ungated FFN with gelu, binary16; legal executions agree closely."""
    return RecipeLogits(GELU, [94, 110, 116, 24, 113, 127], PIECES)


@computed("logits", "LLQ-NUM-4", "LLQ-DEC-3")
def tight_negative_norms() -> RecipeLogits:
    """Norms with weights of both signs, binary16; legal executions agree closely."""
    return RecipeLogits(NEGATIVE_NORMS, [105, 66, 123, 149, 35, 145], PIECES)


@computed("logits", "LLQ-NUM-4", "LLQ-NUM-3", "LLQ-DEQ-3")
def tight_far_zero_points() -> RecipeLogits:
    """Weights that binary16 cannot hold, inputs binary16; legal executions agree closely."""
    return RecipeLogits(FAR_ZERO_POINTS, [33, 39, 24, 6, 22, 10], PIECES)


@computed("logits", "LLQ-NUM-4", "LLQ-ACT-2", "LLQ-ACT-9", "LLQ-DEC-14")
def unlikely_experts_int8() -> RecipeLogits:
    """Router values near -12, so that errors of binary16 in them and in their sigmoid show; INT8."""
    return RecipeLogits(UNLIKELY_EXPERTS, [105, 57, 64, 4, 108, 28], PIECES, int8_margin=2.0**-9)


@computed("logits", "LLQ-NUM-4", "LLQ-DEC-13")
def small_gelu_int8() -> RecipeLogits:
    """Inputs of gelu near -2.5: where gelu is small, errors of erf show; INT8."""
    return RecipeLogits(SMALL_GELU, [51, 51, 51, 72, 51, 17], PIECES, int8_margin=2.0**-9)
