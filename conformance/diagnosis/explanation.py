"""Why an output is wrong: which misreading, or which two together, yield exactly what a runtime returned."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..container import decoding
from ..container.decoding import Reading
from ..container.difference import identical
from ..container.misreadings import MISREADINGS, Misreading
from ..container.package import Part, Tensor
from .recognition import silenced

PAIRS_UP_TO = 1 << 15
"""The number of elements up to which pairs are tried: with larger tensors they would take seconds."""

MANY = 3
"""More explanations explain nothing: the tensors do not tell them apart."""

SIGN_OF_ZERO = "wrong sign of zero"

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
    correct_reading = Reading(
        codes=_memoized(decoding.codes),
        scales=_memoized(decoding.scales),
        zero_points=_memoized(decoding.zero_points),
    )
    misreadings = [
        _memoized_misreading(misreading) for misreading in MISREADINGS if _concerns(misreading, decoded)
    ]
    explanations: Explanations = {
        misreading.name: (misreading.rule,)
        for misreading in misreadings
        if _yields(replace(correct_reading, **{misreading.step: misreading.replacement}), decoded)
    }
    if _yields(correct_reading, decoded):
        return _signs_of_zero(decoded) | explanations
    if (
        not explanations
        and _informative(decoded)
        and sum(weights.size for _, weights in decoded) <= PAIRS_UP_TO
    ):
        for misreading, second in combinations(misreadings, 2):
            replacements = {misreading.step: misreading.replacement, second.step: second.replacement}
            if len(replacements) == 2 and _yields(replace(correct_reading, **replacements), decoded):
                explanations[f"{misreading.name}, and {second.name}"] = tuple(
                    dict.fromkeys((misreading.rule, second.rule))
                )
    return explanations


def reportable(explanations: Explanations, decoded: Decoded) -> Explanations:
    """Return the explanations for a person: none where there are many, or the output tells too little."""
    if SIGN_OF_ZERO in explanations:
        return {SIGN_OF_ZERO: explanations[SIGN_OF_ZERO]}
    return explanations if len(explanations) <= MANY and _informative(decoded) else {}


def _yields(reading: Reading, decoded: Decoded) -> bool:
    """Whether the reading gives these values, the signs of zeros apart."""
    return all(np.array_equal(reading(tensor), weights, equal_nan=True) for tensor, weights in decoded)


def _informative(decoded: Decoded) -> bool:
    """Whether an output has more than two values: a buffer of zeros, say, tells nothing about its origin."""
    return any(np.unique(weights).size > 2 for _, weights in decoded)


def _signs_of_zero(decoded: Decoded) -> Explanations:
    differing = [tensor for tensor, weights in decoded if not identical(weights, Reading()(tensor))]
    return {SIGN_OF_ZERO: ("LLQ-DEQ-5" if differing[0].quantized else "LLQ-RAW-3",)} if differing else {}


def _concerns(misreading: Misreading, decoded: Decoded) -> bool:
    """Whether the step that a misreading replaces is taken for any of the tensors."""
    if misreading.step == "join":
        return any(len(tensor.parts) > 1 for tensor, _ in decoded)
    return any(tensor.quantized != (misreading.step == "raw") for tensor, _ in decoded)


def _memoized_misreading(misreading: Misreading) -> Misreading:
    remembers = misreading.step in ("codes", "scales", "zero_points")
    return replace(misreading, replacement=_memoized(misreading.replacement)) if remembers else misreading


def _memoized(step: Callable[[Part], Any]) -> Callable[[Part], Any]:
    """Return a step that is computed once for each part: among pairs it occurs a hundred times."""
    results: dict[int, Any] = {}

    def remembered(part: Part) -> Any:
        if id(part) not in results:
            results[id(part)] = step(part)
        return results[id(part)]

    return remembered
