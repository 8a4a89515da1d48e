"""The explanation of a wrong output: one or two misreadings that yield exactly this output."""

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
from ..container.misreadings.composition import COMPOSABLE, composed
from ..container.package import Part, Tensor
from .recognition import silenced

PAIRS_UP_TO = 1 << 15
"""Maximum number of elements for which pairs are tried: larger tensors would take seconds."""

MANY = 3
"""Maximum number of explanations that are reported: with more, the tensors do not distinguish them."""

SIGN_OF_ZERO = "wrong sign of zero"

Decoded = Sequence[tuple[Tensor, NDArray[np.float32]]]
"""Tensors of one package, each with what a runtime returned for it."""

Explanations = dict[str, tuple[str, ...]]
"""Misreadings by name, single or in pairs, with the rules that they break."""


def explain(decoded: Decoded) -> Explanations:
    """Return the misreadings that yield this wrong output on every element of all tensors.

    If there are several, these tensors do not distinguish them.
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
                explanations |= _pair(misreading, second)
        explanations = explanations or _composed_in_one_step(decoded)
    return explanations


def _pair(misreading: Misreading, second: Misreading) -> Explanations:
    rules = tuple(dict.fromkeys((misreading.rule, second.rule)))
    return {f"{misreading.name}, and {second.name}": rules}


def _composed_in_one_step(decoded: Decoded) -> Explanations:
    """Return the pairs of misreadings of one step that yield the output, in either order."""
    misreadings = [misreading for misreading in MISREADINGS if _concerns(misreading, decoded)]
    explanations: Explanations = {}
    for misreading, second in combinations(misreadings, 2):
        if misreading.step != second.step or misreading.step not in COMPOSABLE:
            continue
        for inner, outer in ((misreading, second), (second, misreading)):
            reading = composed(misreading.step, inner.replacement, outer.replacement)
            step: dict[str, Any] = {misreading.step: reading}
            try:
                if _yields(replace(Reading(), **step), decoded):
                    explanations |= _pair(misreading, second)
            except ValueError:  # the first reads what no part can hold
                continue
    return explanations


def reportable(explanations: Explanations, decoded: Decoded) -> Explanations:
    """Return the explanations to report: none if there are many or the output is not informative."""
    if SIGN_OF_ZERO in explanations:
        return {SIGN_OF_ZERO: explanations[SIGN_OF_ZERO]}
    return explanations if len(explanations) <= MANY and _informative(decoded) else {}


def _yields(reading: Reading, decoded: Decoded) -> bool:
    """Whether the reading gives these values, except for the signs of zeros."""
    return all(np.array_equal(reading(tensor), weights, equal_nan=True) for tensor, weights in decoded)


def _informative(decoded: Decoded) -> bool:
    """Whether an output has more than two values: a buffer of zeros, for example, fits many misreadings."""
    return any(np.unique(weights).size > 2 for _, weights in decoded)


def _signs_of_zero(decoded: Decoded) -> Explanations:
    differing = [tensor for tensor, weights in decoded if not identical(weights, Reading()(tensor))]
    return {SIGN_OF_ZERO: ("LLQ-DEQ-5" if differing[0].quantized else "LLQ-RAW-3",)} if differing else {}


def _concerns(misreading: Misreading, decoded: Decoded) -> bool:
    """Whether decoding any of the tensors uses the step that a misreading replaces."""
    if misreading.step == "join":
        return any(len(tensor.parts) > 1 for tensor, _ in decoded)
    return any(tensor.quantized != (misreading.step == "raw") for tensor, _ in decoded)


def _memoized_misreading(misreading: Misreading) -> Misreading:
    remembers = misreading.step in ("codes", "scales", "zero_points")
    return replace(misreading, replacement=_memoized(misreading.replacement)) if remembers else misreading


def _memoized(step: Callable[[Part], Any]) -> Callable[[Part], Any]:
    """Return a step that is computed once for each part: pairs use it many times."""
    results: dict[int, Any] = {}

    def remembered(part: Part) -> Any:
        if id(part) not in results:
            results[id(part)] = step(part)
        return results[id(part)]

    return remembered
