"""Why an output is wrong: which misreading, or which two together, yield exactly what a runtime returned."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from conformance.difference import same
from conformance.misreadings import MISREADINGS
from conformance.package import Tensor
from conformance.reading import Reading

PAIRS_UP_TO = 1 << 15
"""The number of elements up to which pairs are tried: with larger tensors they would take seconds."""

MANY = 3
"""More explanations explain nothing: the tensors do not tell them apart."""

SIGN_OF_ZERO = "−0 where +0 is due, or the reverse"

Decoded = Sequence[tuple[Tensor, NDArray[np.float32]]]
"""Tensors of one package, each with what a runtime returned for it."""


Explanations = dict[str, tuple[str, ...]]
"""Misreadings by name, single or in pairs, with the rules that they break."""


def explain(decoded: Decoded) -> Explanations:
    """Return what yields this output, which is wrong, on every element of all tensors.

    Several explanations are such as these tensors do not tell apart.
    """
    found = dict(_singles(decoded))
    if _yields(Reading(), decoded):
        return _signs_of_zero(decoded) | found
    if not found and _telling(decoded) and sum(got.size for _, got in decoded) <= PAIRS_UP_TO:
        found = dict(_pairs(decoded))
    return found


def told(found: Explanations, decoded: Decoded) -> Explanations:
    """Return the explanations for a person: none where there are many, or the output tells too little."""
    if SIGN_OF_ZERO in found:
        return {SIGN_OF_ZERO: found[SIGN_OF_ZERO]}
    return found if len(found) <= MANY and _telling(decoded) else {}


def _yields(reading: Reading, decoded: Decoded) -> bool:
    """Whether the reading gives these values, the signs of zeros apart."""
    return all(np.array_equal(reading(tensor), got, equal_nan=True) for tensor, got in decoded)


def _telling(decoded: Decoded) -> bool:
    """Whether an output has more than two values: a buffer of zeros, say, tells nothing about its origin."""
    return any(np.unique(got).size > 2 for _, got in decoded)


def _signs_of_zero(decoded: Decoded) -> Explanations:
    wrong = [tensor for tensor, got in decoded if not same(got, Reading()(tensor))]
    return {SIGN_OF_ZERO: ("LLQ-DEQ-5" if wrong[0].quantized else "LLQ-RAW-3",)} if wrong else {}


def _singles(decoded: Decoded) -> Iterator[tuple[str, tuple[str, ...]]]:
    for one in MISREADINGS:
        if _yields(Reading(**{one.step: one.replacement}), decoded):
            yield one.name, (one.rule,)


def _pairs(decoded: Decoded) -> Iterator[tuple[str, tuple[str, ...]]]:
    for one, other in combinations(MISREADINGS, 2):
        both = {one.step: one.replacement, other.step: other.replacement}
        if len(both) == 2 and _yields(Reading(**both), decoded):
            yield f"{one.name}, and {other.name}", tuple(dict.fromkeys((one.rule, other.rule)))
