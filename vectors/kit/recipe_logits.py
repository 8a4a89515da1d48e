"""Vectors of models of real proportions: stated by recipes, computed by `vectors.decoder64`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from vectors.decoder64.decoder import Decoder
from vectors.decoder64.ensemble import bounds, gap, rounded_down
from vectors.decoder64.execution import Exact
from vectors.decoder64.package import Array, read
from vectors.kit.computed import Answer, packaged
from vectors.kit.npy import npy64
from vectors.kit.package import DEFAULT_LIMIT, Package, assemble
from vectors.kit.recipe import Recipe, recipe_json
from vectors.kit.recipe_weights import Change, RecipeStyle, recipes, unchanged
from vectors.kit.tokenizer import tokenizer_of

Json = Any


@dataclass(frozen=True)
class RecipeSubject:
    """A model, and how the recipes of its tensors are made."""

    model: dict[str, Json]
    seed: int = 1
    style: RecipeStyle = field(default_factory=RecipeStyle)
    change: Change = unchanged
    shard_limit: int = DEFAULT_LIMIT

    def recipes(self) -> list[Recipe]:
        """Return the recipes of the model's tensors."""
        return recipes(self.model, self.seed, self.style, self.change)

    def package(self) -> Package:
        """Return the model's package, written by the kit element by element."""
        tensors = [recipe.tensor() for recipe in self.recipes()]
        return assemble(tensors, model=self.model, shard_limit=self.shard_limit)

    def stored(self, home: str, package: Package) -> dict[str, bytes]:
        """Return what the vectors store of a package: all files except the shards, and recipe.json."""
        files = {name: data for name, data in package.seal().files.items() if name not in package.names}
        return {**packaged(home, files), f"{home}/recipe.json": recipe_json(self.recipes())}


def flat(array: Array) -> list[float]:
    """Return the values of an array, row by row."""
    values: list[float] = array.ravel().tolist()
    return values


@dataclass(frozen=True)
class RecipeLogits:
    """The logits of some positions of a sequence. With a margin, every legal execution decides alike."""

    subject: RecipeSubject
    tokens: Sequence[int]
    pieces: tuple[tuple[int, ...], ...]
    positions: Sequence[int] | None = None
    int8_margin: float | None = None
    router_margin: float | None = None

    def answer(self, home: str) -> Answer:
        """Return the logits, their bounds and margins, the recipe and the files of the package."""
        package = self.subject.package()
        decoder = Decoder(read(package.seal().files))
        execution = Exact()
        positions = range(len(self.tokens)) if self.positions is None else self.positions
        expected = decoder.logits(self.tokens, execution, positions)
        limits = bounds(decoder, self.tokens, positions, (expected, execution))
        margins = execution.int8_margin, execution.router_margin
        if margins[0] < (self.int8_margin or 0) or margins[1] < (self.router_margin or 0):
            raise ValueError(f"{home}: insufficient margins: {margins}")
        if self.int8_margin and limits.crossings:
            raise ValueError(f"{home}: {limits.crossings} legal executions decide differently")
        files = self.subject.stored(home, package)
        files[f"{home}/expected.npy"] = npy64(expected.shape, flat(expected))
        members: dict[str, Json] = {
            "package": f"{home}/package",
            "recipe": f"{home}/recipe.json",
            "tokens": list(self.tokens),
            "splits": [list(split) for split in self.pieces],
            "expected": f"{home}/expected.npy",
            "bounds": {"f32": limits.f32, "f16": limits.f16},
            "margins": {
                "int8": self.int8_margin,
                "router": self.router_margin,
                "argmax": rounded_down(gap(expected)),
            },
        }
        if self.positions is not None:
            members["positions"] = list(self.positions)
        return members, files


@dataclass(frozen=True)
class RecipeGenerate:
    """Greedy generation, which every legal execution continues in the same way.

    The tokenizer has the end tokens and token 0; without end tokens the package has no tokenizer.
    """

    subject: RecipeSubject
    tokens: Sequence[int]
    max_tokens: int
    eos: Sequence[int]

    def answer(self, home: str) -> Answer:
        """Return the generated ids, their margin, the recipe and the files of the package."""
        package = self.subject.package()
        if self.eos:
            members = {"bos_token_id": None, "eos_token_ids": list(self.eos), "chat_template": None}
            package.attach("tokenizer", "tokenizer.json", tokenizer_of(sorted({0, *self.eos})), **members)
        decoder = Decoder(read(package.seal().files))
        ids: list[int] = []
        ended = False
        while len(ids) < self.max_tokens and not ended:
            sequence = [*self.tokens, *ids]
            chosen = int(decoder.logits(sequence, Exact(), [len(sequence) - 1])[0].argmax())
            ended = chosen in self.eos
            ids += [] if ended else [chosen]
        sequence = [*self.tokens, *ids][: None if ended else -1]
        positions = range(len(self.tokens) - 1, len(sequence))
        execution = Exact()
        expected = decoder.logits(sequence, execution, positions)
        limits = bounds(decoder, sequence, positions, (expected, execution))
        margin = gap(expected) / max(limits.f32, limits.f16)
        if margin <= 2:
            raise ValueError(f"{home}: the margin is {margin}")
        entry = {
            "package": f"{home}/package",
            "recipe": f"{home}/recipe.json",
            "tokens": list(self.tokens),
            "max_tokens": self.max_tokens,
            "expected": ids,
            "margin": rounded_down(margin),
        }
        return entry, self.subject.stored(home, package)
