"""Generate: long answers, and choices between close logits; tokens follow each other in a fixed order."""

from __future__ import annotations

from vectors.cases.generation import CHATTY, PROMPT
from vectors.cases.logits import dense, model
from vectors.kit.computed import computed
from vectors.kit.recipe import Formula, Recipe, Run
from vectors.kit.recipe_logits import RecipeGenerate, RecipeSubject
from vectors.kit.recipe_weights import RecipeStyle
from vectors.kit.sequences import Generate
from vectors.kit.weights import bits16

TOKENS = 40
SHAPE = {"hidden_size": TOKENS, "num_heads": 1, "num_kv_heads": 1, "head_dim": 8, "context_length": 256}
MODEL = model(1, dense(8), tied_embeddings=False, **SHAPE)
FAINT = RecipeStyle({"output": 2.0**-8, "down": 2.0**-8}, {"lm_head": "f16"})
"""Attention and FFN that hardly count: the head sees little but the embedding of the last token."""

LARGE, CLOSE = 16.0, 2.0**-4


def following(token: int) -> int:
    """Return the token that the model chooses after another; the order visits all tokens."""
    return (21 * token + 3) % TOKENS


def rows(name: str, shape: tuple[int, ...], elements: dict[tuple[int, int], float]) -> Recipe:
    """Return a raw matrix of zeros except for some elements, by row and column."""
    runs = [Run(row * shape[1] + column, 1, 1, bits16(value)) for (row, column), value in elements.items()]
    return Recipe(name, shape, {"bits": Formula(runs=tuple(runs))})


def in_order(recipe: Recipe) -> Recipe:
    """Let token t have the element t alone, which the row of the following token multiplies."""
    if recipe.name == "embedding":
        return rows(recipe.name, recipe.shape, {(token, token): 1.0 for token in range(TOKENS)})
    if recipe.name == "lm_head":
        return rows(recipe.name, recipe.shape, {(following(t), t): LARGE for t in range(TOKENS)})
    return recipe


IN_ORDER = RecipeSubject(MODEL, 1, FAINT, in_order)


@computed("generate", "LLQ-GEN-1", "LLQ-GEN-2")
def generation_of_200_tokens() -> RecipeGenerate:
    """An answer of 200 tokens, which include every token of the vocabulary."""
    return RecipeGenerate(IN_ORDER, [0], 200, [])


def tied(recipe: Recipe) -> Recipe:
    """Let tokens 0, 20 and 39 follow token 5 with equal logits."""
    if recipe.name == "lm_head":
        return rows(recipe.name, recipe.shape, {(token, 5): LARGE for token in (0, 20, 39)})
    return in_order(recipe)


@computed("generate", "LLQ-GEN-1")
def generation_with_a_tie_of_first_and_last() -> RecipeGenerate:
    """The logits of the first token, of the last and of one between are equal: the first MUST be chosen.

    The margin is that between logits that differ.
    """
    return RecipeGenerate(RecipeSubject(MODEL, 1, FAINT, tied), [5], 1, [])


def close(recipe: Recipe) -> Recipe:
    """Let token 5 have a small element 6, by which the logit of token 30 exceeds that of token 10."""
    if recipe.name == "embedding":
        return rows(recipe.name, recipe.shape, {**{(t, t): 1.0 for t in range(TOKENS)}, (5, 6): 2.0**-6})
    if recipe.name == "lm_head":
        return rows(recipe.name, recipe.shape, {(10, 5): LARGE, (30, 5): LARGE, (30, 6): CLOSE})
    return recipe


@computed("generate", "LLQ-GEN-1", "LLQ-ACT-9")
def generation_of_close_logits() -> RecipeGenerate:
    """Two logits near 100 whose difference binary16 cannot represent; the larger has the higher id."""
    return RecipeGenerate(RecipeSubject(MODEL, 1, FAINT, close), [5], 1, [])


def close_elements(recipe: Recipe) -> Recipe:
    """Let the final hidden state of token 5 have two close elements, by which tokens 10 and 30 follow it.

    bfloat16 holds neither the difference of the elements nor that of the logits.
    """
    if recipe.name == "embedding":
        elements = {**{(t, t): 1.0 for t in range(TOKENS)}, (5, 6): 1 + 6 * 2.0**-10}
        return rows(recipe.name, recipe.shape, elements)
    if recipe.name == "lm_head":
        return rows(recipe.name, recipe.shape, {(30, 5): LARGE, (10, 6): LARGE})
    if recipe.name == "norm":
        return Recipe(recipe.name, recipe.shape, {"bits": Formula(bits16(1.0))})
    return in_order(recipe)


@computed("generate", "LLQ-GEN-1", "LLQ-ACT-9")
def generation_of_close_elements() -> RecipeGenerate:
    """Two logits near 70 whose difference bfloat16 cannot represent, from two hidden elements as close."""
    return RecipeGenerate(RecipeSubject(MODEL, 1, FAINT, close_elements), [5], 1, [])


@computed("generate", "LLQ-GEN-1", "LLQ-GEN-2", "LLQ-DEC-22")
def generation_of_300_tokens() -> RecipeGenerate:
    """An answer of 300 tokens, which the end of a context of 300 positions limits."""
    longer = model(1, dense(8), tied_embeddings=False, **{**SHAPE, "context_length": 300})
    return RecipeGenerate(RecipeSubject(longer, 1, FAINT, in_order), [0], 300, [])


@computed("generate", "LLQ-GEN-1", "LLQ-DEC-17")
def generation_after_another() -> Generate:
    """Another answer of the same package precedes, on which this answer MUST NOT depend."""
    return Generate(CHATTY, PROMPT, 6, [39], preceding=[[33, 14, 28, 31], PROMPT])
