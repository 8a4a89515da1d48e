"""Vectors of whole models: the logits of a sequence, and greedy generation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from vectors.kit import affine as extension
from vectors.kit.computed import Answer, packaged
from vectors.kit.decoder import Decoder, Vector, Weights
from vectors.kit.disturbance import Exact
from vectors.kit.ensemble import Bounds, Run, bounds, run
from vectors.kit.npy import npy64
from vectors.kit.package import Package, assemble
from vectors.kit.tensor import Tensor
from vectors.kit.tokenizer import plain_tokenizer
from vectors.kit.weights import Style, filled

Json = Any


def unchanged(tensor: Tensor) -> Tensor:
    """Return a tensor unchanged."""
    return tensor


@dataclass(frozen=True)
class Subject:
    """A model, and how its tensors are filled."""

    model: dict[str, Json]
    seed: int = 1
    style: Style = field(default_factory=Style)
    replace: Callable[[Tensor], Tensor] = unchanged
    affine: extension.Affine = ()

    def tensors(self) -> list[Tensor]:
        """Return the model's tensors."""
        return filled(self.model, self.seed, self.style, self.replace, self.affine)

    def package(self) -> Package:
        """Return the model's package."""
        return assemble(self.tensors(), model=self.model, **extension.members(self.affine))

    def needs(self) -> dict[str, Json]:
        """Return the member of a vector that names the extensions that a runtime needs, if there are any."""
        return {"extensions": [extension.NAME]} if self.affine else {}


def gap(logits: Vector) -> float:
    """Return by how much the largest logit exceeds the largest different one."""
    distinct = sorted(set(logits))
    return distinct[-1] - distinct[-2] if len(distinct) > 1 else 0.0


@dataclass(frozen=True)
class Logits:
    """The logits of a sequence. With a margin, every legal execution decides as the exact execution does.

    too_long: a sequence that exceeds the context, if there is one.
    """

    subject: Subject
    tokens: Sequence[int]
    int8_margin: float | None = None
    router_margin: float | None = None
    pieces: tuple[tuple[int, ...], ...] = ()
    too_long: Sequence[int] = ()

    def exact(self) -> tuple[Weights, Run]:
        """Compute the expected logits, and check the margins."""
        weights = Weights(self.subject.tensors())
        result = run(self.subject.model, weights, self.tokens, Exact())
        execution = result.execution
        if execution.int8_margin < (self.int8_margin or 0) or execution.router_margin < (
            self.router_margin or 0
        ):
            raise ValueError(f"insufficient margins: {execution.int8_margin}, {execution.router_margin}")
        return weights, result

    def bounds(self, weights: Weights, result: Run) -> Bounds:
        """Measure the bounds, and check that margins keep decisions as they are."""
        limits = bounds(self.subject.model, weights, self.tokens, result)
        if self.int8_margin is not None and limits.crossings:
            raise ValueError(f"{limits.crossings} legal executions decide differently")
        return limits

    def answer(self, home: str) -> Answer:
        """Return the logits, their bounds and margins, and the package."""
        weights, result = self.exact()
        limits = self.bounds(weights, result)
        model, count = self.subject.model, len(self.tokens)
        layers = range(len(model["layers"]))
        by_layer = [value for layer in layers for position in result.residuals for value in position[layer]]
        files = packaged(home, self.subject.package().seal().files)
        files[f"{home}/expected.npy"] = npy64(
            (count, model["vocab_size"]), [logit for logits in result.logits for logit in logits]
        )
        files[f"{home}/layers.npy"] = npy64((len(layers), count, model["hidden_size"]), by_layer)
        first = 5 * count // 8
        members = {
            "package": f"{home}/package",
            "tokens": list(self.tokens),
            "splits": [list(split) for split in self.pieces]
            or [[count], [1] * count, [first, count - first]],
            "expected": f"{home}/expected.npy",
            "bounds": {"f32": limits.f32, "f16": limits.f16},
            "margins": {
                "int8": self.int8_margin,
                "router": self.router_margin,
                "argmax": min(map(gap, result.logits)),
            },
            "layers": f"{home}/layers.npy",
            **too_long(self.too_long),
            **self.subject.needs(),
        }
        return members, files


def too_long(tokens: Sequence[int]) -> dict[str, Json]:
    """Return the member of a vector that has a sequence to be refused."""
    return {"too_long": list(tokens)} if tokens else {}


@dataclass(frozen=True)
class Generate:
    """Greedy generation, which every legal execution continues in the same way.

    preceding: prompts of answers that precede, of the same package.
    too_long: a prompt that exceeds the context, if there is one.
    """

    subject: Subject
    tokens: Sequence[int]
    max_tokens: int
    eos: Sequence[int]
    preceding: Sequence[Sequence[int]] = ()
    too_long: Sequence[int] = ()

    def choices(self, weights: Weights) -> tuple[list[int], list[Vector]]:
        """Return the ids generated, and the logits they (and the id that ended them) were chosen from."""
        decoder = Decoder(self.subject.model, weights, Exact())
        ids: list[int] = []
        logits: list[Vector] = []
        following = list(self.tokens)
        room = self.subject.model["context_length"] + 1 - len(self.tokens)
        while len(ids) < min(self.max_tokens, room):
            logits.append([decoder.step(token) for token in following][-1])
            chosen = logits[-1].index(max(logits[-1]))
            if chosen in self.eos:
                break
            ids.append(chosen)
            following = [chosen]
        return ids, logits

    def answer(self, home: str) -> Answer:
        """Return the generated ids, their margin and the package."""
        weights = Weights(self.subject.tensors())
        ids, logits = self.choices(weights)
        sequence = [*self.tokens, *ids][: self.subject.model["context_length"]]
        result = run(self.subject.model, weights, sequence, Exact())
        limits = bounds(self.subject.model, weights, sequence, result)
        margin = min(map(gap, logits)) / max(limits.f32, limits.f16)
        if margin <= 2:
            raise ValueError(f"{home}: the margin is {margin}")
        tokenizer = plain_tokenizer(self.subject.model["vocab_size"])
        members = {"bos_token_id": None, "eos_token_ids": list(self.eos), "chat_template": None}
        package = self.subject.package().attach("tokenizer", "tokenizer.json", tokenizer, **members)
        entry = {
            "package": f"{home}/package",
            "tokens": list(self.tokens),
            "max_tokens": self.max_tokens,
            "expected": ids,
            "margin": margin,
            **too_long(self.too_long),
            **self.subject.needs(),
        }
        if self.preceding:
            entry["preceding"] = [list(prompt) for prompt in self.preceding]
        return entry, packaged(home, package.seal().files)
