"""Vectors whose last elements are the largest, of lengths that no vector of a kernel divides."""

from __future__ import annotations

from vectors.cases.activations import noisy
from vectors.cases.logits import dense, model
from vectors.cases.matvec import weight
from vectors.kit.computed import computed
from vectors.kit.recipe import Recipe, Run
from vectors.kit.recipe_logits import RecipeLogits, RecipeSubject
from vectors.kit.recipe_weights import planted
from vectors.kit.rounding import Activations, Matvec
from vectors.kit.weights import bits16

LENGTHS = {"5": 5, "7": 7, "257": 257}


def last_largest(seed: int, count: int) -> list[float]:
    """Return numbers without pattern, where the last one is by far the largest."""
    return [*noisy(seed, count - 1), 3.0]


@computed("activations", "LLQ-ACT-2", cases=LENGTHS)
def int8_last_of_all_is_largest(count: int) -> Activations:
    """Vectors of {} elements whose last one is the largest."""
    return Activations("int8", [last_largest(count + seed, count) for seed in range(3)])


@computed("matvec", "LLQ-NUM-3", "LLQ-ACT-2", cases=LENGTHS)
def matvec_last_of_all_is_largest(count: int) -> Matvec:
    """Rows of {} elements, where the last input is the largest; inputs INT8, none in a guard band."""
    return Matvec("int8", weight(9, count), [last_largest(count + seed, count) for seed in (44, 46)])


def last_element(recipe: Recipe) -> Recipe:
    """Let the last element of each embedding be large, and so the last of what each norm returns."""
    if recipe.name == "embedding":
        return planted(recipe, "bits", Run(6, 7, 40, bits16(3.0)))
    return recipe


@computed("logits", "LLQ-NUM-4", "LLQ-DEC-3", "LLQ-ACT-2", cases={"binary16": 1, "INT8": 0})
def odd_sizes(fp16_layers: int) -> RecipeLogits:
    """A hidden size of 7, an intermediate size of 5, the last elements large; inputs {}, without margin."""
    shape = {"hidden_size": 7, "num_heads": 3, "num_kv_heads": 1, "head_dim": 2}
    subject = RecipeSubject(model(fp16_layers, dense(5), **shape), change=last_element)
    return RecipeLogits(subject, [32, 31, 35, 13, 7, 16], ((6,), (1,) * 6))
