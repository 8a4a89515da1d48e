"""The decorators that make functions vectors, and the list of all of them."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from vectors.kit.package import Package, Sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Case = Package | Sealed
Function = TypeVar("Function", bound="Callable[..., Case]")
VECTORS: list[Vector] = []


@dataclass(frozen=True)
class Vector:
    """One vector: its description, its rules and the function that makes it."""

    id: str
    kind: str
    description: str
    rules: tuple[str, ...]
    warnings: tuple[str, ...]
    make: Callable[[], Case]

    def sealed(self) -> Sealed:
        """Return the vector's files."""
        case = self.make()
        return case.seal() if isinstance(case, Package) else case


def slug(words: str) -> str:
    """Return words as a piece of an id."""
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def register(
    kind: str, rules: tuple[str, ...], cases: Mapping[str, Any] | None, warnings: tuple[str, ...]
) -> Callable[[Function], Function]:
    """Return a decorator that registers one vector, or with `cases` one for every entry.

    A key of `cases` ends the id and replaces {} in the description; its value is the function's argument.
    """

    def decorator(function: Function) -> Function:
        name = slug(function.__name__)
        sentence = " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())
        if cases is None:
            VECTORS.append(Vector(name, kind, sentence, rules, warnings, function))
            return function
        for key, argument in cases.items():
            described = sentence.replace("{}", key)
            make = partial(function, argument)
            VECTORS.append(Vector(f"{name}-{slug(key)}", kind, described, rules, warnings, make))
        return function

    return decorator


def valid(
    *rules: str, cases: Mapping[str, Any] | None = None, warnings: tuple[str, ...] = ()
) -> Callable[[Function], Function]:
    """Mark a function that makes a conforming package."""
    return register("valid", rules, cases, warnings)


def invalid(*rules: str, cases: Mapping[str, Any] | None = None) -> Callable[[Function], Function]:
    """Mark a function that makes a package whose first error breaks the first of the rules."""
    return register("invalid", rules, cases, ())
