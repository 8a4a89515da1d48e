"""A mistake: one part of the reference replaced by what an implementer could have written instead."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from conformance.reference import Reference

Patch = pytest.MonkeyPatch
Make = Callable[[Patch], None]


@dataclass(frozen=True)
class Mistake:
    """What is wrong, a rule that its failures cite, the check that finds it, how the reference gets it."""

    name: str
    rule: str
    check: str
    make: Make
    runtime: Callable[..., Reference] = Reference


MISTAKES: list[Mistake] = []


def mistake(name: str, rule: str, check: str = "logits") -> Callable[[Make], None]:
    """Add a mistake that a function makes by patching the reference."""

    def add(make: Make) -> None:
        MISTAKES.append(Mistake(name, rule, check, make))

    return add


def runtime(name: str, rule: str, check: str = "logits") -> Callable[[type[Reference]], None]:
    """Add a mistake that a runtime of its own makes."""

    def add(made: type[Reference]) -> None:
        MISTAKES.append(Mistake(name, rule, check, lambda _: None, made))

    return add
