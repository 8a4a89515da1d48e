"""Logits of models with many layers, experts, heads or tokens."""

from __future__ import annotations

from vectors.cases.logits import dense, model
from vectors.kit.computed import computed
from vectors.kit.recipe import Formula, Recipe, Run
from vectors.kit.recipe_logits import RecipeGenerate, RecipeLogits, RecipeSubject
from vectors.kit.recipe_weights import RecipeStyle, planted
from vectors.kit.weights import bits16

TOKENS = [32, 31, 35, 13, 7, 16, 1, 39]
PIECES = (8,), (1,) * 8, (5, 3)


@computed("logits", "LLQ-NUM-4", "LLQ-DEC-2", "LLQ-TENSOR-3")
def twelve_layers() -> RecipeLogits:
    """Twelve layers, whose names sort as text in another order; binary16 throughout."""
    return RecipeLogits(RecipeSubject(model(12, *[dense(16)] * 12, hidden_size=16)), TOKENS, PIECES)


EXPERTS = 17


def one_expert_a_token(recipe: Recipe) -> Recipe:
    """Let token t have a large element t, which the router's row t multiplies."""
    if recipe.name == "embedding":
        return planted(recipe, "bits", Run(0, 33, EXPERTS, bits16(4.0)))
    if recipe.name.endswith("router"):
        return planted(recipe, "bits", Run(0, 33, EXPERTS, bits16(2.0)))
    return recipe


@computed("logits", "LLQ-NUM-4", "LLQ-DEC-14", "LLQ-DEC-15", "LLQ-TENSOR-3")
def seventeen_experts() -> RecipeLogits:
    """Seventeen experts, each chosen once; their names sort as text in another order; binary16."""
    moe = {"num_experts": EXPERTS, "shared_intermediate_size": 8}
    style = RecipeStyle(gains={"router": 2.0**-2})
    subject = RecipeSubject(model(1, dense(16, moe=moe)), 1, style, one_expert_a_token)
    tokens = list(range(EXPERTS))
    return RecipeLogits(subject, tokens, ((17,), (1,) * 17, (9, 8)), router_margin=2.0**-2)


HEADS = {
    "8 key-value heads for 16 heads": (16, 8),
    "8 heads to each of 2 key-value heads": (16, 2),
    "5 heads to each of 2 key-value heads": (10, 2),
}


@computed("logits", "LLQ-NUM-4", "LLQ-DEC-4", "LLQ-DEC-11", cases=HEADS)
def many_heads(heads: tuple[int, int]) -> RecipeLogits:
    """{}; binary16."""
    shape = {"num_heads": heads[0], "num_kv_heads": heads[1], "head_dim": 4}
    return RecipeLogits(RecipeSubject(model(1, dense(24), **shape)), TOKENS, PIECES)


VOCABULARY = 65600
WHEEL = (65599, 17, 65541, 40001, 5, 65536, 261, 65535)
"""Each of these tokens has one large element, by which the head chooses the next of them."""

LARGE_VOCABULARY = model(
    1,
    dense(8),
    vocab_size=VOCABULARY,
    hidden_size=8,
    num_heads=1,
    num_kv_heads=1,
    head_dim=8,
    tied_embeddings=False,
)


def wheel(recipe: Recipe) -> Recipe:
    """Return a tensor of a model that chooses the tokens of the wheel in turn; other logits are 0."""
    if recipe.name == "embedding":
        runs = [Run(8 * token + i, 1, 1, bits16(16.0)) for i, token in enumerate(WHEEL)]
        return planted(recipe, "bits", *runs)
    if recipe.name == "lm_head":
        following = (*WHEEL[1:], WHEEL[0])
        runs = [Run(8 * token + i, 1, 1, bits16(4.0)) for i, token in enumerate(following)]
        return Recipe(recipe.name, recipe.shape, {"bits": Formula(runs=tuple(runs))})
    return recipe


LARGE = RecipeSubject(LARGE_VOCABULARY, 1, RecipeStyle(dtypes={"lm_head": "f16"}), wheel)


@computed("logits", "LLQ-NUM-4", "LLQ-DEC-1", "LLQ-DEC-16")
def large_vocabulary() -> RecipeLogits:
    """65600 tokens, ids that 16 bits cannot hold among them; the logits of the last position; binary16."""
    return RecipeLogits(LARGE, [65599, 300, 65541, 40001, 65535], ((5,), (4, 1)), positions=[4])


@computed("generate", "LLQ-GEN-1", "LLQ-GEN-2")
def generation_in_a_large_vocabulary() -> RecipeGenerate:
    """65600 tokens: ids that 8 and 16 bits cannot hold are chosen, the last of all among them."""
    return RecipeGenerate(LARGE, [65535], 9, [])


@computed("generate", "LLQ-GEN-2")
def generation_ends_at_an_id_of_17_bits() -> RecipeGenerate:
    """The end token is 65536, which 8 and 16 bits cannot hold."""
    return RecipeGenerate(LARGE, [65535], 9, [65536])
