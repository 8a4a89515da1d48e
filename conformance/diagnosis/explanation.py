"""Why an output is wrong: which misreading, or which two together, yield exactly what a runtime returned."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..container import decoding
from ..container.decoding import Reading
from ..container.difference import same
from ..container.misreadings import MISREADINGS, Misreading
from ..container.package import Part, Tensor
from .recognition import silenced

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
    if silenced():
        return {}
    right = Reading(
        codes=_memoized(decoding.codes),
        scales=_memoized(decoding.scales),
        zero_points=_memoized(decoding.zero_points),
    )
    misreadings = [_memoized_misreading(one) for one in MISREADINGS if _concerns(one, decoded)]
    found: Explanations = {
        one.name: (one.rule,)
        for one in misreadings
        if _yields(replace(right, **{one.step: one.replacement}), decoded)
    }
    if _yields(right, decoded):
        return _signs_of_zero(decoded) | found
    if not found and _informative(decoded) and sum(got.size for _, got in decoded) <= PAIRS_UP_TO:
        for one, other in combinations(misreadings, 2):
            both = {one.step: one.replacement, other.step: other.replacement}
            if len(both) == 2 and _yields(replace(right, **both), decoded):
                found[f"{one.name}, and {other.name}"] = tuple(dict.fromkeys((one.rule, other.rule)))
    return found


def reportable(found: Explanations, decoded: Decoded) -> Explanations:
    """Return the explanations for a person: none where there are many, or the output tells too little."""
    if SIGN_OF_ZERO in found:
        return {SIGN_OF_ZERO: found[SIGN_OF_ZERO]}
    return found if len(found) <= MANY and _informative(decoded) else {}


def _yields(read: Reading, decoded: Decoded) -> bool:
    """Whether the reading gives these values, the signs of zeros apart."""
    return all(np.array_equal(read(tensor), got, equal_nan=True) for tensor, got in decoded)


def _informative(decoded: Decoded) -> bool:
    """Whether an output has more than two values: a buffer of zeros, say, tells nothing about its origin."""
    return any(np.unique(got).size > 2 for _, got in decoded)


def _signs_of_zero(decoded: Decoded) -> Explanations:
    wrong = [tensor for tensor, got in decoded if not same(got, Reading()(tensor))]
    return {SIGN_OF_ZERO: ("LLQ-DEQ-5" if wrong[0].quantized else "LLQ-RAW-3",)} if wrong else {}


def _concerns(one: Misreading, decoded: Decoded) -> bool:
    """Whether the step that a misreading replaces is taken for any of the tensors."""
    if one.step == "join":
        return any(len(tensor.parts) > 1 for tensor, _ in decoded)
    return any(tensor.quantized != (one.step == "raw") for tensor, _ in decoded)


def _memoized_misreading(one: Misreading) -> Misreading:
    remembers = one.step in ("codes", "scales", "zero_points")
    return replace(one, replacement=_memoized(one.replacement)) if remembers else one


def _memoized(step: Callable[[Part], Any]) -> Callable[[Part], Any]:
    """Return a step that is computed once for each part: among pairs it occurs a hundred times."""
    known: dict[int, Any] = {}

    def remembered(part: Part) -> Any:
        if id(part) not in known:
            known[id(part)] = step(part)
        return known[id(part)]

    return remembered
