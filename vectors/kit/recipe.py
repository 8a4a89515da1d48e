"""Recipes: tensors as formulas of a counter-based generator, small on disk however large the tensors are."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from vectors.kit.tensor import Int4, Raw, Tensor

MASK_64 = 0xFFFFFFFFFFFFFFFF
Json = Any


def mixed(seed: int, index: int) -> int:
    """Return 64 bits that depend on every bit of seed and index: number `index` of SplitMix64."""
    z = (seed + (index + 1) * 0x9E3779B97F4A7C15) & MASK_64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK_64
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK_64
    return z ^ z >> 31


@dataclass(frozen=True)
class Run:
    """Elements first, first + stride and so on, `count` in all, that have a value of their own."""

    first: int
    stride: int
    count: int
    value: int


@dataclass(frozen=True)
class Formula:
    """Integers by index: base + some bits, or one of several choices, except where a run sets another."""

    base: int = 0
    mask: int = 0
    seed: int = 0
    sign_bit: int | None = None
    choices: tuple[int, ...] = ()
    runs: tuple[Run, ...] = ()

    @cached_property
    def planted(self) -> dict[int, int]:
        """The elements that runs set; the last run that has an element determines it."""
        return {
            index: run.value
            for run in self.runs
            for index in range(run.first, run.first + run.stride * run.count, run.stride)
        }

    def value(self, index: int) -> int:
        """Return an element."""
        planted = self.planted.get(index)
        if planted is not None:
            return planted
        bits = mixed(self.seed, index)
        high = bits >> 32
        value = self.choices[high % len(self.choices)] if self.choices else self.base + (high & self.mask)
        return value if self.sign_bit is None else value ^ (bits & 1) << self.sign_bit

    def json(self) -> Json:
        """Return the formula as recipe.json states it."""
        members: dict[str, Json] = {"seed": self.seed}
        if self.choices:
            members["choices"] = list(self.choices)
        else:
            members |= {"base": self.base, "mask": self.mask}
        if self.sign_bit is not None:
            members["sign_bit"] = self.sign_bit
        if self.runs:
            members["runs"] = [[run.first, run.stride, run.count, run.value] for run in self.runs]
        return members


@dataclass(frozen=True)
class Recipe:
    """The formulas of a tensor: `bits` of a raw one; `code`, `scale` and perhaps `zero_point` of INT4."""

    name: str
    shape: tuple[int, ...]
    formulas: dict[str, Formula] = field(default_factory=dict)
    raw_dtype: str = "f16"

    def tensor(self) -> Tensor:
        """Return the tensor, element by element."""
        if "bits" in self.formulas:
            return Raw(self.name, self.raw_dtype, self.shape, self.formulas["bits"].value)
        rows, cols = self.shape
        across = -(-cols // 64)
        code, scale = self.formulas["code"], self.formulas["scale"]
        zero_point = self.formulas.get("zero_point")
        return Int4(
            self.name,
            (rows, cols),
            code=lambda r, c: code.value(r * cols + c),
            scale=lambda i, j: scale.value(i * across + j),
            zero_point=None if zero_point is None else lambda i, j: zero_point.value(i * across + j),
        )


def recipe_json(recipes: list[Recipe]) -> bytes:
    """Return the text of recipe.json."""
    tensors = {
        recipe.name: {name: formula.json() for name, formula in recipe.formulas.items()} for recipe in recipes
    }
    lines = [f" {json.dumps(name)}: {json.dumps(formulas)}" for name, formulas in tensors.items()]
    return ('{"version": "1.0", "tensors": {\n' + ",\n".join(lines) + "\n}}\n").encode()
