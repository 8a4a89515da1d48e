"""The decorators that make functions vectors, and the list of all of them."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from vectors.kit.package import Package, Sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Case = Package | Sealed
Function = TypeVar("Function", bound="Callable[..., Case]")
VECTORS: list[Vector] = []
RULES = Path(__file__).resolve().parents[2] / "spec" / "rules.json"

OF_TENSORS = "LLQ-READ-7"
"""The rule of readers of single tensors. The first vector of each rule of the stages below tests it."""

INDEX = ("read", "json", "version", "schema", "canonical", "model", "tensors", "parts", "files")
"""The stages whose errors concern every tensor of a package."""


@dataclass(frozen=True)
class Vector:
    """One vector: its description, its rules and the function that makes it."""

    id: str
    kind: str
    description: str
    rules: tuple[str, ...]
    warnings: tuple[str, ...]
    make: Callable[[], Case]
    extensions: tuple[str, ...] = ()

    def sealed(self) -> Sealed:
        """Return the vector's files."""
        case = self.make()
        return case.seal() if isinstance(case, Package) else case


class Key(str):
    """A key of cases whose text in descriptions differs from the words of its id, which never changes."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, words: str, text: str) -> Self:
        """Return the words of an id, with the text that replaces them in a description."""
        key = super().__new__(cls, words)
        key.text = text
        return key


def slug(words: str) -> str:
    """Return words as a piece of an id."""
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def described(sentence: str, key: str) -> str:
    """Return a description with the text of a key in place of {}."""
    return sentence.replace("{}", key.text if isinstance(key, Key) else key)


def register(
    kind: str,
    rules: tuple[str, ...],
    cases: Mapping[str, Any] | None,
    warnings: tuple[str, ...] = (),
    extensions: tuple[str, ...] = (),
) -> Callable[[Function], Function]:
    """Return a decorator that registers one vector, or with `cases` one for every entry.

    A key of `cases` ends the id, and its text replaces {} in the description; its value is the function's
    argument. `extensions` are those that a reader needs for the verdict that the vector expects.
    """

    def decorator(function: Function) -> Function:
        name = slug(function.__name__)
        sentence = " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
        if cases is None:
            VECTORS.append(Vector(name, kind, sentence, rules, warnings, function, extensions))
            return function
        for key, argument in cases.items():
            identifier, text = f"{name}-{slug(key)}", described(sentence, key)
            make = partial(function, argument)
            VECTORS.append(Vector(identifier, kind, text, rules, warnings, make, extensions))
        return function

    return decorator


def valid(
    *rules: str,
    cases: Mapping[str, Any] | None = None,
    warnings: tuple[str, ...] = (),
    extensions: tuple[str, ...] = (),
) -> Callable[[Function], Function]:
    """Mark a function that makes a conforming package."""
    return register("valid", rules, cases, warnings, extensions)


def invalid(
    *rules: str, cases: Mapping[str, Any] | None = None, extensions: tuple[str, ...] = ()
) -> Callable[[Function], Function]:
    """Mark a function that makes a package whose first error breaks the first of the rules."""

    def decorator(function: Function) -> Function:
        tested = {(vector.rules[0], vector.extensions) for vector in VECTORS if vector.kind == "invalid"}
        is_first = (rules[0], extensions) not in tested
        count = len(VECTORS)
        register("invalid", rules, cases, extensions=extensions)(function)
        if is_first and rules[0] in _rules_of_the_index() and OF_TENSORS not in rules:
            VECTORS[count] = replace(VECTORS[count], rules=(*rules, OF_TENSORS))
        return function

    return decorator


@cache
def _rules_of_the_index() -> frozenset[str]:
    rules = json.loads(RULES.read_text(encoding="utf-8"))["rules"]
    return frozenset(rule["id"] for rule in rules if rule["stage"] in INDEX)
