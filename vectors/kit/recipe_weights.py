"""Recipes of models that compute something sensible: values of moderate size, without pattern."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from vectors.kit.model import table
from vectors.kit.recipe import Formula, Recipe, Run
from vectors.kit.weights import SPREAD, bits16, bits32, frequency, named_seed

OCTAVE = 1 << 10
"""The difference in bits of a binary16 number and of its double."""

SIGN_16 = 15
Change = Callable[[Recipe], Recipe]


def magnitudes(smallest: float, octaves: int, seed: int, *, signed: bool = True) -> Formula:
    """Return binary16 numbers of some octaves from the smallest magnitude on, perhaps of both signs."""
    sign_bit = SIGN_16 if signed else None
    return Formula(bits16(smallest), (OCTAVE << octaves - 1) - 1, seed, sign_bit)


@dataclass(frozen=True)
class RecipeStyle:
    """How the tensors of a model are filled; `gains` and `dtypes` are by the last component of a name."""

    gains: dict[str, float] = field(default_factory=dict)
    dtypes: dict[str, str] = field(default_factory=dict)
    zero_points: tuple[int, ...] = (6, 7, 8, 9)

    def formulas(self, last: str, shape: tuple[int, ...], seed: int, *, raw: bool) -> dict[str, Formula]:
        """Return the formulas of a tensor."""
        gain = self.gains.get(last, 1.0)
        if last == "inv_freq":
            values = [bits32(frequency(i, 2 * shape[0])) for i in range(shape[0])]
            return {"bits": Formula(runs=tuple(Run(i, 1, 1, value) for i, value in enumerate(values)))}
        if raw and len(shape) == 1:  # a norm
            return {"bits": magnitudes(0.75 * gain, 1, seed, signed=False)}
        if raw:
            size = 0.25 if last == "embedding" else 1 / math.sqrt(shape[1])
            return {"bits": magnitudes(size * gain, 2, seed)}
        scale = gain / (SPREAD * math.sqrt(shape[1]))
        formulas = {
            "code": Formula(0, 15, seed),
            "scale": Formula(bits16(0.75 * scale), OCTAVE // 2 - 1, seed + 1),
        }
        if self.dtypes.get(last, "int4_affine") == "int4_affine":
            formulas["zero_point"] = Formula(seed=seed + 2, choices=self.zero_points)
        return formulas


def unchanged(recipe: Recipe) -> Recipe:
    """Return a recipe unchanged."""
    return recipe


def planted(recipe: Recipe, formula: str, *runs: Run, **members: Any) -> Recipe:
    """Return a recipe with one of its formulas changed: further runs, and other members."""
    old = recipe.formulas[formula]
    new = replace(old, runs=(*old.runs, *runs), **members)
    return replace(recipe, formulas={**recipe.formulas, formula: new})


def recipes(model: dict[str, Any], seed: int, style: RecipeStyle, change: Change = unchanged) -> list[Recipe]:
    """Return the recipes of the tensors that a model requires, each unchanged or changed."""
    result = []
    for name, shape, role in table(model):
        last = name.rpartition(".")[2]
        raw = role != "matrix" or style.dtypes.get(last, "").startswith("f")
        formulas = style.formulas(last, shape, named_seed(seed, name), raw=raw)
        dtype = "f32" if last == "inv_freq" else style.dtypes.get(last, "f16")
        result.append(change(Recipe(name, shape, formulas, dtype)))
    return result
