"""A mutant: one part of the reference replaced by what an implementer could have written instead."""

from collections.abc import Callable
from dataclasses import dataclass

from llq_format.metadata.findings import Finding

from .seam import Mutate


@dataclass(frozen=True)
class Mutant:
    """A runtime with one error.

    name: in kebab-case, as `--runtime=mutant:NAME` takes it.
    title: what is wrong, as failures name it; variants of one mutant share it.
    rule: the rule that it breaks, which its failures cite.
    checks: the checks that must kill it, the check of the lowest capability first.
    mutate: how the reference gets it.
    unnamed: why failures do not name it, where they do not.
    overlooks: the findings that it overlooks, if overlooking findings is its only error.
    """

    name: str
    title: str
    rule: str
    checks: tuple[str, ...]
    mutate: Mutate
    unnamed: str = ""
    overlooks: Callable[[Finding], bool] | None = None

    @property
    def check(self) -> str:
        """The lowest check that finds it."""
        return self.checks[0]

    @property
    def capability(self) -> str:
        """The lowest capability that sees it."""
        return CAPABILITY.get(self.check, self.check)


CAPABILITY = {"accept": "reject", "refuse": "reject", "withhold": "reject"}
"""The capability that a check is about, where it is not called the same."""

COMPUTED = ("activations", "matvec", "logits", "generate", "sample", "adjust", "tokenize")

MUTANTS: dict[str, Mutant] = {}
"""All mutants by name, in the order of checks once the modules are imported."""


def add(mutant: Mutant) -> None:
    """Put a mutant into the registry; raises ValueError for a name that is taken."""
    if mutant.name in MUTANTS:
        raise ValueError(f"two mutants are called {mutant.name}")
    MUTANTS[mutant.name] = mutant


def mutant(title: str, rule: str, *checks: str, unnamed: str = "") -> Callable[[Mutate], Mutate]:
    """Register a function that changes a `Seam` as a mutant, named as the function is, in kebab-case.

    Without `checks`, `logits` must kill it.
    """

    def register(mutate: Mutate) -> Mutate:
        name = mutate.__name__.replace("_", "-")
        add(Mutant(name, title, f"LLQ-{rule}", checks or ("logits",), mutate, unnamed))
        return mutate

    return register
