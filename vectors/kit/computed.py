"""The decorator that makes functions vectors of what a runtime computes, and the list of all of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from vectors.kit.registry import described, slug

Json = Any
Answer = tuple[dict[str, Json], dict[str, bytes]]


class Question(Protocol):
    """What is asked of a runtime: the members of its index entry, and files below a home directory."""

    def answer(self, home: str) -> Answer:
        """Return the members and the files."""
        ...


Function = TypeVar("Function", bound=Callable[..., Question])
COMPUTED: list[Computed] = []
KINDS = ("activations", "matvec", "logits", "generate", "sample", "adjust", "tokenize", "export", "api")


@dataclass(frozen=True)
class Computed:
    """One vector: its description, its rules and its question."""

    id: str
    kind: str
    description: str
    rules: tuple[str, ...]
    make: Callable[[], Question]

    def entry(self) -> Answer:
        """Return the entry in the index, and the files by their paths."""
        members, files = self.make().answer(f"{self.kind}/{self.id}")
        described = {
            "id": self.id,
            "kind": self.kind,
            "description": self.description,
            "rules": list(self.rules),
        }
        return {**described, **members}, files


def computed(
    kind: str, *rules: str, cases: Mapping[str, Any] | None = None
) -> Callable[[Function], Function]:
    """Return a decorator that registers one vector, or with `cases` one for every entry."""

    def decorator(function: Function) -> Function:
        name = slug(function.__name__)
        sentence = " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
        if cases is None:
            COMPUTED.append(Computed(name, kind, sentence, rules, function))
            return function
        for key, argument in cases.items():
            identifier, text = f"{name}-{slug(key)}", described(sentence, key)
            COMPUTED.append(Computed(identifier, kind, text, rules, partial(function, argument)))
        return function

    return decorator


def packaged(home: str, files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files of a package by their paths."""
    return {f"{home}/package/{name}": data for name, data in files.items()}
