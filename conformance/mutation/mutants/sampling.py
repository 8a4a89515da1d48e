"""Mutants of sampled choice (GEN-3, GEN-9, GEN-10)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from llq_format.reference import sampling
from llq_format.reference.activations import Array
from llq_format.reference.sampling import Sampling

from .mutant import mutant
from .sampled_choice import Choose, choose, replace_steps
from .seam import Seam

SMALLEST16 = 2.0**-24
"""The smallest positive number of binary16."""


def _change(seam: Seam, **changes: Callable[[Any], Any]) -> None:
    """Choose with other parameters."""

    def mutate(original: Choose) -> Choose:
        def call(logits: Array, parameters: Sampling, position: int) -> int:
            others = {name: change(getattr(parameters, name)) for name, change in changes.items()}
            return original(logits, replace(parameters, **others), position)

        return call

    choose(seam, mutate)


def _position(seam: Seam, change: Callable[[int], int]) -> None:
    """Choose for another position."""
    choose(seam, lambda original: lambda logits, parameters, p: original(logits, parameters, change(p)))


def _uniform(seam: Seam, uniform: Callable[[int, int], float]) -> None:
    """Draw another random number, from seed and position."""
    seam.replace(sampling, "uniform", uniform)


# ---- Seed and position ----


@mutant("seed ignored", "GEN-3", "sample")
def seed_ignored(seam: Seam) -> None:
    _change(seam, seed=lambda _: 0)


@mutant("seed cut to 32 bits", "GEN-3", "sample")
def seed_of_32_bits(seam: Seam) -> None:
    _change(seam, seed=lambda seed: seed & 0xFFFFFFFF)


@mutant("seed of a binary64 number", "GEN-3", "sample")
def seed_in_binary64(seam: Seam) -> None:
    _change(seam, seed=lambda seed: min(int(float(seed)), 2**64 - 1))


@mutant("sign bit of the seed dropped", "GEN-3", "sample")
def seed_of_63_bits(seam: Seam) -> None:
    _change(seam, seed=lambda seed: seed & (1 << 63) - 1)


@mutant("the words of the seed swapped", "GEN-3", "sample")
def seed_words_swapped(seam: Seam) -> None:
    _change(seam, seed=lambda seed: (seed & 0xFFFFFFFF) << 32 | seed >> 32)


@mutant("the position before", "GEN-3", "sample")
def position_minus_1(seam: Seam) -> None:
    _position(seam, lambda position: max(position - 1, 0))


@mutant("the same random number at each position", "GEN-3", "sample")
def position_ignored(seam: Seam) -> None:
    _position(seam, lambda _: 0)


@mutant("position modulo 256", "GEN-3", "sample")
def position_of_8_bits(seam: Seam) -> None:
    _position(seam, lambda position: position % 256)


@mutant("position modulo 65536", "GEN-3", "sample")
def position_of_16_bits(seam: Seam) -> None:
    _position(seam, lambda position: position % 65536)


@mutant("position in binary32", "GEN-3", "sample")
def position_in_binary32(seam: Seam) -> None:
    _position(seam, lambda position: int(np.float32(position)))


@mutant("the number of earlier draws as the position", "GEN-3", "sample")
def draws_counted(seam: Seam) -> None:
    """Keep a count between calls, as a stateful generator does."""

    def count(_position: int) -> int:
        draws: int = seam.memory.get("draws", -1) + 1
        seam.memory["draws"] = draws
        return draws

    _position(seam, count)


@mutant("the seed of the first call kept", "GEN-3", "sample")
def first_seed_kept(seam: Seam) -> None:
    _change(seam, seed=lambda seed: seam.memory.setdefault("seed", seed))


@mutant("the second word of Philox", "GEN-3", "sample")
def second_word(seam: Seam) -> None:
    _uniform(seam, lambda seed, position: (sampling.philox(position, seed)[1] >> 8) * 2.0**-24)


@mutant("the low bits of the word", "GEN-3", "sample")
def low_bits(seam: Seam) -> None:
    _uniform(seam, lambda seed, p: (sampling.philox(p, seed)[0] & 0xFFFFFF) * 2.0**-24)


@mutant("a random number of 8 bits", "GEN-3", "sample")
def uniform_of_8_bits(seam: Seam) -> None:
    _uniform(seam, lambda seed, position: (sampling.philox(position, seed)[0] >> 24) / 256)


@mutant("another generator", "GEN-3", "sample")
def another_generator(seam: Seam) -> None:
    _uniform(seam, lambda seed, position: float(np.random.default_rng([seed, position]).random()))


# ---- Temperature ----


@mutant("logits multiplied by the temperature", "GEN-3", "sample")
def temperature_inverse(seam: Seam) -> None:
    _change(seam, temperature=lambda t: float(np.clip(1 / t, 1e-18, 1e38)) if t else t)


@mutant("temperature ignored", "GEN-3", "sample")
def temperature_ignored(seam: Seam) -> None:
    _change(seam, temperature=lambda t: 1.0 if t else t)


@mutant("weights in base 2", "GEN-3", "sample")
def weights_in_base_2(seam: Seam) -> None:
    _change(seam, temperature=lambda t: min(t / float(np.log(2)), 3e38))


@mutant("a small temperature taken for 0", "GEN-3", "sample")
def small_temperature_greedy(seam: Seam) -> None:
    _change(seam, temperature=lambda t: 0.0 if t < 1e-6 else t)


@mutant("a small temperature raised", "GEN-3", "sample")
def small_temperature_raised(seam: Seam) -> None:
    _change(seam, temperature=lambda t: max(t, 0.01) if t >= sampling.COLDEST else t)


@mutant("a large temperature lowered", "GEN-3", "sample")
def large_temperature_lowered(seam: Seam) -> None:
    _change(seam, temperature=lambda t: min(t, 2.0))


@mutant("temperature 0 draws among the largest logits", "GEN-3", "sample")
def temperature_0_draws(seam: Seam) -> None:
    seam.replace(sampling, "COLDEST", 0.0)
    _change(seam, temperature=lambda t: t or 1e-30)


@mutant("top_p applied at temperature 1", "GEN-3", "sample")
def top_p_at_temperature_1(seam: Seam) -> None:
    replace_steps(seam, top_p_temperature=lambda _: 1.0)


# ---- top_k and top_p ----


@mutant("one token more than top_k", "GEN-3", "sample")
def top_k_plus_1(seam: Seam) -> None:
    _change(seam, top_k=lambda k: k + 1 if k else k)


@mutant("one token fewer than top_k", "GEN-3", "sample")
def top_k_minus_1(seam: Seam) -> None:
    _change(seam, top_k=lambda k: k - 1 if k and k > 1 else k)


@mutant("top_k ignored", "GEN-3", "sample")
def top_k_ignored(seam: Seam) -> None:
    _change(seam, top_k=lambda _: 0)


@mutant("top_k at most 8", "GEN-3", "sample")
def top_k_at_most_8(seam: Seam) -> None:
    _change(seam, top_k=lambda k: min(k, 8) if k else k)


@mutant("top_k cut to 32 bits", "GEN-10", "sample")
def top_k_of_32_bits(seam: Seam) -> None:
    _change(seam, top_k=lambda k: k & 0xFFFFFFFF)


@mutant("top_k as a signed number of 32 bits", "GEN-10", "sample")
def top_k_signed(seam: Seam) -> None:
    def signed(k: int) -> int:
        word = k & 0xFFFFFFFF
        return max(word - (1 << 32), 1) if word >> 31 else word

    _change(seam, top_k=signed)


@mutant("one token more than top_p", "GEN-3", "sample")
def top_p_plus_1(seam: Seam) -> None:
    replace_steps(seam, count=lambda count: count + 1)


@mutant("one token fewer than top_p", "GEN-3", "sample")
def top_p_minus_1(seam: Seam) -> None:
    replace_steps(seam, count=lambda count: max(count - 1, 1))


@mutant("top_p ignored", "GEN-3", "sample")
def top_p_ignored(seam: Seam) -> None:
    _change(seam, top_p=lambda _: 1.0)


@mutant("top_p 0 taken for none", "GEN-3", "sample")
def top_p_0_keeps_all(seam: Seam) -> None:
    _change(seam, top_p=lambda p: p or 1.0)


@mutant("top_p above 1 taken for 0", "GEN-3", "sample")
def top_p_above_1_keeps_one(seam: Seam) -> None:
    _change(seam, top_p=lambda p: p if p <= 1 else 0.0)


@mutant("top_p a share of all tokens, not of those that top_k keeps", "GEN-3", "sample")
def top_p_of_all(seam: Seam) -> None:
    replace_steps(seam, share_of_all=True)


@mutant("top_p keeps two tokens or more", "GEN-3", "sample")
def top_p_keeps_two(seam: Seam) -> None:
    replace_steps(seam, count=lambda count: max(count, 2))


# ---- Order ----


@mutant("weights added in the order of the ranking", "GEN-3", "sample")
def weights_in_order_of_rank(seam: Seam) -> None:
    replace_steps(seam, order=lambda ranked: np.arange(len(ranked)))


@mutant("weights added from the last id", "GEN-3", "sample")
def weights_from_the_last(seam: Seam) -> None:
    replace_steps(seam, order=lambda ranked: np.argsort(-ranked))


@mutant("equal logits ranked by the highest id", "GEN-3", "sample")
def highest_id_of_equals(seam: Seam) -> None:
    replace_steps(seam, rank=lambda logits: len(logits) - 1 - np.argsort(-logits[::-1], kind="stable"))


@mutant("an unstable sort", "GEN-3", "sample")
def sort_unstable(seam: Seam) -> None:
    def rank(logits: Array) -> Any:
        shuffled = np.random.default_rng(3).permutation(len(logits))
        return shuffled[np.argsort(-logits[shuffled], kind="stable")]

    replace_steps(seam, rank=rank)


@mutant("-0 below 0", "GEN-3", "sample")
def zeros_distinct(seam: Seam) -> None:
    replace_steps(seam, rank=lambda logits: np.lexsort((np.arange(len(logits)), np.signbit(logits), -logits)))


@mutant("the last token never drawn", "GEN-3", "sample")
def last_token_never(seam: Seam) -> None:
    choose(seam, lambda original: lambda logits, *others: original(logits[:-1], *others))


@mutant("token ids of 16 bits", "GEN-3", "sample")
def token_of_16_bits(seam: Seam) -> None:
    choose(seam, lambda original: lambda *arguments: original(*arguments) % 65536)


@mutant("weights without the maximum subtracted", "GEN-3", "sample")
def maximum_not_subtracted(seam: Seam) -> None:
    replace_steps(seam, largest=lambda _: 0.0)


@mutant("weights added in binary16", "GEN-3", "sample")
def weights_added_in_binary16(seam: Seam) -> None:
    replace_steps(seam, sums=lambda weights: np.cumsum(weights, dtype=np.float16).astype(np.float64))


@mutant("weights below binary16 lost", "GEN-3", "sample")
def small_weights_lost(seam: Seam) -> None:
    replace_steps(seam, weigh=lambda weights: np.where(weights < SMALLEST16, 0, weights))


# ---- Refusals ----


def _refuse(seam: Seam, refuses: Callable[[Sampling], bool]) -> None:
    """Refuse further parameters."""

    def mutate(check: Callable[[Sampling], None]) -> Callable[[Sampling], None]:
        def post_init(self: Sampling) -> None:
            check(self)
            if refuses(self):
                raise ValueError

        return post_init

    seam.wrap(Sampling, "__post_init__", mutate)


def _accept(seam: Seam, name: str, instead: float) -> None:
    """Accept a parameter that is out of range as another."""

    def mutate(check: Callable[[Sampling], None]) -> Callable[[Sampling], None]:
        def post_init(self: Sampling) -> None:
            with np.errstate(over="ignore"):
                bad = not (np.isfinite(np.float32(getattr(self, name))) and getattr(self, name) >= 0)
            if bad:
                object.__setattr__(self, name, instead)
            check(self)

        return post_init

    seam.wrap(Sampling, "__post_init__", mutate)


@mutant("a temperature out of range accepted", "GEN-9", "sample")
def temperature_out_of_range(seam: Seam) -> None:
    _accept(seam, "temperature", 0.0)


@mutant("a top_p out of range accepted", "GEN-9", "sample")
def top_p_out_of_range(seam: Seam) -> None:
    _accept(seam, "top_p", 1.0)


@mutant("a top_p above 1 refused", "GEN-3", "sample")
def top_p_above_1_refused(seam: Seam) -> None:
    _refuse(seam, lambda parameters: parameters.top_p > 1)


@mutant("a top_k above 32 bits refused", "GEN-10", "sample")
def top_k_above_32_bits_refused(seam: Seam) -> None:
    _refuse(seam, lambda parameters: (parameters.top_k or 0) >= 1 << 32)
