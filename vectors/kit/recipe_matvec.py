"""Vectors of one matrix product whose matrix a recipe states."""

from __future__ import annotations

from dataclasses import dataclass

from vectors.kit.computed import Answer
from vectors.kit.recipe import Recipe, recipe_json
from vectors.kit.rounding import Matvec, Rows
from vectors.kit.tensor import Int4


@dataclass(frozen=True)
class RecipeMatvec:
    """A matrix to be multiplied with vectors, rounded to a format; INT8 codes must be unique."""

    format: str
    recipe: Recipe
    rows: Rows

    def answer(self, home: str) -> Answer:
        """Return the inputs, the products and their error bounds, the recipe and the files of the package."""
        tensor = self.recipe.tensor()
        if not isinstance(tensor, Int4):
            raise TypeError(f"{home}: the tensor is {tensor.dtype}, not INT4")
        members, files = Matvec(self.format, tensor, self.rows).answer(home)
        stored = {path: data for path, data in files.items() if not path.endswith(".llq")}
        recipe = f"{home}/recipe.json"
        return {**members, "recipe": recipe}, {**stored, recipe: recipe_json([self.recipe])}
