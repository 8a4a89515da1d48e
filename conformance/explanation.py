"""Why an output is wrong: which misreading, or which two together, yield exactly what a runtime returned."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from conformance.difference import same
from conformance.misreadings import MISREADINGS
from conformance.package import Tensor
from conformance.reading import Reading

PAIRS_UP_TO = 1 << 15
"""The number of elements up to which pairs are tried: with larger tensors they would take seconds."""

TOO_MANY = 4
"""So many explanations explain nothing: the tensors do not tell them apart."""

Decoded = Sequence[tuple[Tensor, NDArray[np.float32]]]
"""Tensors of one package, each with what a runtime returned for it."""


@dataclass(frozen=True)
class Explanation:
    """One misreading, or two, by name, with the rules that they break."""

    name: str
    rules: tuple[str, ...]


def explain(decoded: Decoded) -> tuple[Explanation, ...]:
    """Return what yields this output, which is wrong, on every element of all tensors.

    Several explanations are such as these tensors do not tell apart. None is better than a guess.
    """
    if _yields(Reading(), decoded):
        return (_signs_of_zero(decoded),)
    if not any(_telling(got) for _, got in decoded):
        return ()
    found = dict.fromkeys(_singles(decoded))
    if not found and sum(got.size for _, got in decoded) <= PAIRS_UP_TO:
        found = dict.fromkeys(_pairs(decoded))
    return tuple(found) if len(found) < TOO_MANY else ()


def _yields(reading: Reading, decoded: Decoded) -> bool:
    """Whether the reading gives these values, the signs of zeros apart."""
    return all(np.array_equal(reading(tensor), got, equal_nan=True) for tensor, got in decoded)


def _signs_of_zero(decoded: Decoded) -> Explanation:
    wrong = next(tensor for tensor, got in decoded if not same(got, Reading()(tensor)))
    return Explanation("sign of zero wrong", ("LLQ-DEQ-5" if wrong.quantized else "LLQ-RAW-3",))


def _telling(got: NDArray[np.float32]) -> bool:
    """Whether an output has more than two values: a buffer of zeros, say, tells nothing about its origin."""
    return np.unique(got).size > 2


def _singles(decoded: Decoded) -> Iterator[Explanation]:
    for one in MISREADINGS:
        if _yields(Reading(**{one.step: one.replacement}), decoded):
            yield Explanation(one.name, (one.rule,))


def _pairs(decoded: Decoded) -> Iterator[Explanation]:
    for one, other in combinations(MISREADINGS, 2):
        both = {one.step: one.replacement, other.step: other.replacement}
        if len(both) == 2 and _yields(Reading(**both), decoded):
            yield Explanation(f"{one.name}, and {other.name}", tuple(dict.fromkeys((one.rule, other.rule))))
