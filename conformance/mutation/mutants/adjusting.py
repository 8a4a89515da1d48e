"""Mutants of adjusted choice (GEN-11, GEN-13)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from llq_format.reference import adjusting, sampling
from llq_format.reference.activations import Array
from llq_format.reference.adjusting import Adjustment, Mask
from llq_format.reference.sampling import Sampling

from .mutant import mutant
from .seam import Seam

Penalize = Callable[[Array, float, Iterable[int]], Array]


def _bias(seam: Seam, bias: Callable[[Array, Mapping[int, float]], Array]) -> None:
    """Add biases in another way."""
    seam.replace(adjusting, "biased", bias)


def _penalize(seam: Seam, penalize: Penalize) -> None:
    """Apply the penalty in another way."""
    seam.replace(adjusting, "penalized", penalize)


def _sequence(seam: Seam, change: Callable[[list[int]], Iterable[int]]) -> None:
    """Take other ids for the sequence."""
    original = adjusting.penalized
    _penalize(seam, lambda logits, penalty, ids: original(logits, penalty, change(list(ids))))


def _likely(seam: Seam, count: Callable[[Array, float], int]) -> None:
    """Keep another number of ids by min_p."""
    seam.replace(sampling, "likely", count)


def _allow(seam: Seam, ids: Callable[[Mask, int], Any]) -> None:
    """Allow other ids."""
    seam.replace(adjusting, "allowed_ids", ids)


def _choose(seam: Seam, mutate: Callable[[Any], Any]) -> None:
    """Choose in another way, made of the right one."""
    seam.wrap(adjusting, "choose", mutate)


# ---- Biases ----


@mutant("biases ignored", "GEN-11", "adjust")
def biases_ignored(seam: Seam) -> None:
    _bias(seam, lambda logits, _: logits.copy())


@mutant("biases subtracted", "GEN-11", "adjust")
def biases_subtracted(seam: Seam) -> None:
    original = adjusting.biased
    _bias(seam, lambda logits, biases: original(logits, {i: -bias for i, bias in biases.items()}))


@mutant("biases cut to -2 to 2", "GEN-11", "adjust")
def biases_limited(seam: Seam) -> None:
    original = adjusting.biased
    _bias(seam, lambda logits, b: original(logits, {i: float(np.clip(x, -2, 2)) for i, x in b.items()}))


@mutant("the bias added after the penalty", "GEN-11", "adjust")
def bias_after_penalty(seam: Seam) -> None:
    penalized, biased = adjusting.penalized, adjusting.biased

    def swapped(logits: Array, adjustment: Adjustment, sequence: Iterable[int]) -> Array:
        return biased(penalized(logits, adjustment.repetition_penalty, sequence), adjustment.logit_bias)

    seam.replace(adjusting, "adjusted", swapped)


@mutant("biases not applied to greedy choice", "GEN-11", "adjust")
def greedy_unbiased(seam: Seam) -> None:
    original = adjusting.choose_adjusted

    def call(logits: Array, parameters: Sampling, adjustment: Adjustment, *others: Any, **named: Any) -> int:
        greedy = parameters.temperature < sampling.COLDEST
        return original(logits, parameters, Adjustment() if greedy else adjustment, *others, **named)

    seam.replace(adjusting, "choose_adjusted", call)


# ---- Penalty ----


@mutant("logits below 0 divided by the penalty too", "GEN-11", "adjust")
def penalty_divides_all(seam: Seam) -> None:
    def penalize(logits: Array, penalty: float, sequence: Iterable[int]) -> Array:
        changed, ids = logits.copy(), np.unique(list(sequence))
        changed[ids] /= penalty
        return changed

    _penalize(seam, penalize)


@mutant("the penalty subtracted", "GEN-11", "adjust")
def penalty_subtracted(seam: Seam) -> None:
    def penalize(logits: Array, penalty: float, sequence: Iterable[int]) -> Array:
        changed, ids = logits.copy(), np.unique(list(sequence))
        changed[ids] -= np.log(penalty)
        return changed

    _penalize(seam, penalize)


@mutant("the penalty applied once for each occurrence", "GEN-11", "adjust")
def penalty_of_each_occurrence(seam: Seam) -> None:
    original = adjusting.penalized

    def penalize(logits: Array, penalty: float, sequence: Iterable[int]) -> Array:
        for token in sequence:
            logits = original(logits, penalty, [token])
        return logits

    _penalize(seam, penalize)


@mutant("the penalty of the prompt alone", "GEN-11", "adjust")
def penalty_of_the_first_id(seam: Seam) -> None:
    """Take the first two ids of the sequence, which were in the prompt."""
    _sequence(seam, lambda ids: ids[:2])


@mutant("the penalty of the last token alone", "GEN-11", "adjust")
def penalty_of_the_last_id(seam: Seam) -> None:
    _sequence(seam, lambda ids: ids[-1:])


@mutant("a penalty below 1 taken for 1", "GEN-11", "adjust")
def penalty_at_least_1(seam: Seam) -> None:
    original = adjusting.penalized
    _penalize(seam, lambda logits, penalty, ids: original(logits, max(penalty, 1.0), ids))


@mutant("adjusted logits not limited to binary32", "GEN-11", "adjust")
def logits_unlimited(seam: Seam) -> None:
    """Drop ids whose logit is infinite in binary32, as a mask of infinities does."""
    original = adjusting.adjusted

    def adjusted(logits: Array, adjustment: Adjustment, sequence: Iterable[int]) -> Array:
        penalty = adjustment.repetition_penalty
        free = adjusting.penalized(adjusting.biased(logits, adjustment.logit_bias), penalty, sequence)
        infinite = np.abs(free) > np.finfo(np.float32).max
        return np.where(infinite, -np.inf, original(logits, adjustment, sequence))

    seam.replace(adjusting, "adjusted", adjusted)


# ---- min_p ----


@mutant("min_p ignored", "GEN-11", "adjust")
def min_p_ignored(seam: Seam) -> None:
    _likely(seam, lambda weights, _: len(weights))


@mutant("min_p a share of the sum", "GEN-11", "adjust")
def min_p_of_the_sum(seam: Seam) -> None:
    original = sampling.likely
    _likely(seam, lambda weights, min_p: original(weights / weights.sum(), min_p))


@mutant("ids of the weight min_p dropped", "GEN-11", "adjust")
def min_p_exclusive(seam: Seam) -> None:
    _likely(seam, lambda weights, min_p: max(int((weights > min_p).sum()), 1))


@mutant("min_p applied before top_p", "GEN-11", "adjust")
def min_p_first(seam: Seam) -> None:
    def mutate(original: Any) -> Any:
        def call(logits: Array, parameters: Sampling, position: int) -> int:
            temperature = max(float(np.float32(parameters.temperature)), 1e-30)
            weights = np.exp((logits - logits.max()) / temperature)
            ids = np.flatnonzero(weights >= min(parameters.min_p, 1.0))
            return int(ids[original(logits[ids], replace(parameters, min_p=0.0), position)])

        return call

    _choose(seam, mutate)


@mutant("min_p applied at temperature 1", "GEN-11", "adjust")
def min_p_at_temperature_1(seam: Seam) -> None:
    def mutate(original: Any) -> Any:
        def call(logits: Array, parameters: Sampling, position: int) -> int:
            min_p = parameters.min_p ** (1 / max(parameters.temperature, 1e-3))
            return int(original(logits, replace(parameters, min_p=min(min_p, 1.0)), position))

        return call

    _choose(seam, mutate)


# ---- Masks ----


@mutant("masks ignored", "GEN-11", "adjust")
def masks_ignored(seam: Seam) -> None:
    _allow(seam, lambda _, vocab_size: np.arange(vocab_size))


@mutant("the highest bit of a mask first", "GEN-11", "adjust")
def mask_bits_reversed(seam: Seam) -> None:
    def ids(mask: Mask, vocab_size: int) -> Any:
        words = np.asarray(mask, ">u4").view(np.uint8)
        found = np.flatnonzero(np.unpackbits(words)[:vocab_size])
        return found if found.size else np.arange(1)

    _allow(seam, ids)


@mutant("bits of 0 taken for allowed", "GEN-11", "adjust")
def mask_inverted(seam: Seam) -> None:
    original = adjusting.allowed_ids
    _allow(seam, lambda mask, vocab_size: original(~np.asarray(mask, np.uint32), vocab_size))


@mutant("the last word of a mask ignored", "GEN-11", "adjust")
def last_word_ignored(seam: Seam) -> None:
    original = adjusting.allowed_ids

    def ids(mask: Mask, vocab_size: int) -> Any:
        found = original(mask, vocab_size)
        return found[found < max(vocab_size // 32 * 32, 1)] if vocab_size > 32 else found

    _allow(seam, lambda mask, vocab_size: kept if len(kept := ids(mask, vocab_size)) else np.arange(1))


@mutant("top_k and top_p applied before the mask", "GEN-11", "adjust")
def mask_last(seam: Seam) -> None:
    """Draw from the ids that are kept without a mask; take an allowed id if the drawn one is not."""
    original = adjusting.choose_adjusted

    def call(*arguments: Any, mask: Mask | None = None, **named: Any) -> int:
        masked = original(*arguments, mask=mask, **named)
        drawn = original(*arguments, **named)
        if mask is None or drawn in adjusting.allowed_ids(mask, len(arguments[0])):
            return drawn
        return masked

    seam.replace(adjusting, "choose_adjusted", call)


# ---- Refusals ----


def _accept(seam: Seam, owner: Any, name: str, instead: float) -> None:
    """Accept a parameter that is out of range as another."""

    def mutate(check: Callable[[Any], None]) -> Callable[[Any], None]:
        def post_init(self: Any) -> None:
            value = getattr(self, name)
            try:
                check(self)
            except ValueError:
                object.__setattr__(self, name, instead)
                check(self)
            else:
                object.__setattr__(self, name, value)

        return post_init

    seam.wrap(owner, "__post_init__", mutate)


@mutant("a penalty out of range accepted", "GEN-13", "adjust")
def penalty_out_of_range(seam: Seam) -> None:
    _accept(seam, Adjustment, "repetition_penalty", 1.0)


@mutant("a min_p out of range accepted", "GEN-13", "adjust")
def min_p_out_of_range(seam: Seam) -> None:
    _accept(seam, Sampling, "min_p", 0.0)


@mutant("a bias of an unknown id accepted", "GEN-13", "adjust")
def unknown_bias_accepted(seam: Seam) -> None:
    original = adjusting.biased
    seam.replace(Adjustment, "check_ids", lambda *_: None)
    _bias(seam, lambda logits, b: original(logits, {i: x for i, x in b.items() if i < len(logits)}))


@mutant("a mask without allowed ids accepted", "GEN-13", "adjust")
def empty_mask_accepted(seam: Seam) -> None:
    def ids(mask: Mask, vocab_size: int) -> Any:
        try:
            return original(mask, vocab_size)
        except ValueError:
            return np.arange(vocab_size)

    original = adjusting.allowed_ids
    _allow(seam, ids)
