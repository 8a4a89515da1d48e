"""Sampled choice: temperature, top_k, top_p, seeds and positions at their boundaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from math import log

from vectors.kit.activation import nearest32
from vectors.kit.computed import computed
from vectors.kit.sampling import GUARD, LARGEST32, Choice, Draw, Sample, clear, settled, uniform
from vectors.kit.weights import between

EXAMPLE = (1.0, 3.0, 2.0, 3.0, -1.0, 0.5)
EVEN = (0.25,) * 8
NOISE = tuple(nearest32(between(61, token, -2.0, 2.0)) for token in range(16))
SHARES = (0.05, 0.3, 0.1, 0.2, 0.15, 0.2)
FALLING = tuple(nearest32(log(share)) for share in SHARES)
"""Logits whose shares of the total are `SHARES`, nearly; ranked: 0.3, 0.2, 0.2, 0.15, 0.1, 0.05."""

OUTSIDE = float(GUARD) * 1.25
"""Distance from a cumulative share, outside the guard band."""


def sample(logits: Sequence[float], *draws: Draw) -> Sample:
    """Return draws, each at the first position from its own on at which every token is clear."""
    return Sample(logits, [draw if draw.refused else settled(logits, draw) for draw in draws])


@computed("sample", "LLQ-GEN-3")
def sample_examples() -> Sample:
    """The examples of section Sampled choice."""
    rows = [
        Draw(1, 0, 1, 0, 0),
        Draw(1, 0, 1, 0, 5),
        Draw(1, 0, 1, 7, 0),
        Draw(1, 0, 1, 7, 5),
        Draw(0.5, 1, 1, 7, 0),
        Draw(0.5, 3, 1, 7, 0),
        Draw(2, 0, 0.25, 7, 0),
        Draw(2, 0, 0.75, 3, 9),
        Draw(4, 4, 0.9, 2**64 - 1, 6),
        Draw(4, 0, 1, 2**32, 12),
    ]
    return Sample(EXAMPLE, rows)


@computed("sample", "LLQ-GEN-3")
def sample_without_limits() -> Sample:
    """All ids are kept, including the first and the last: their weights MUST be added in ascending order."""
    return sample(NOISE, Draw(seed=5, count=60), Draw(0.5, seed=6, count=40), Draw(3, seed=7, count=40))


TEMPERATURES = {
    "2^-60": 2.0**-60,
    "0.001": 0.001,
    "1 over 3": 1 / 3,
    "2": 2.0,
    "10000": 1e4,
    "the largest binary32": LARGEST32,
}


@computed("sample", "LLQ-GEN-3", cases=TEMPERATURES)
def sample_at_temperature(temperature: float) -> Sample:
    """The temperature is {}: logits MUST be divided by it, and equal logits MUST have equal weights."""
    return sample(EXAMPLE, Draw(temperature, seed=11, count=48))


@computed("sample", "LLQ-GEN-3", cases={"2^-60": 2.0**-60, "0.001": 0.001})
def sample_of_small_differences_at(temperature: float) -> Sample:
    """The temperature is {}, and logits differ by as little: their weights MUST differ."""
    logits = tuple(nearest32(logit * temperature) for logit in EXAMPLE)
    return sample(logits, Draw(temperature, seed=13, count=40))


GREEDY = {
    "0": 0.0,
    "2^-61": 2.0**-61,
    "just below 2^-60": 2.0**-60 - 2.0**-84,
    "the smallest binary32": 2.0**-149,
}


@computed("sample", "LLQ-GEN-3", cases=GREEDY)
def sample_greedily_at_temperature(temperature: float) -> Sample:
    """The temperature is {}: the lowest id of the equal maximum logits MUST be taken, whatever the seed."""
    draws = [Draw(temperature, seed=seed, count=12) for seed in (0, 7)]
    return sample(EXAMPLE, *draws, Draw(temperature, 3, 0.5, 7, 100, 4), Draw(temperature, 0, 0.0, 7, 200, 4))


TOP_KS = {
    "1": 1,
    "2": 2,
    "the vocabulary less 1": len(NOISE) - 1,
    "the vocabulary": len(NOISE),
    "the vocabulary plus 1": len(NOISE) + 1,
    "2^31": 2**31,
    "2^32 minus 1": 2**32 - 1,
    "2^32": 2**32,
    "2^32 plus 1": 2**32 + 1,
    "2^53 minus 1": 2**53 - 1,
}


@computed("sample", "LLQ-GEN-3", "LLQ-GEN-10", cases=TOP_KS)
def sample_with_top_k(top_k: int) -> Sample:
    """top_k is {}: that number of ids MUST be kept, and at most all."""
    return sample(NOISE, Draw(4.0, top_k, seed=21, count=70))


@computed("sample", "LLQ-GEN-3")
def sample_with_equals_across_top_k() -> Sample:
    """Equal logits are on both sides of top_k: those of the lowest ids MUST be kept."""
    logits = (0.0, 1.0, 0.5, 1.0, 2.0, 1.0, -1.0, 1.0)
    return sample(logits, *(Draw(1.5, top_k, seed=31, count=40) for top_k in (2, 3, 4, 5)))


MANY = 2000
LARGE = frozenset(range(97, MANY, 120))
"""Ids that each have 64/16 percent of the total; all others together have 36 percent."""

CROWD = tuple(nearest32(log(0.04 if token in LARGE else 0.36 / (MANY - 16))) for token in range(MANY))


@computed("sample", "LLQ-GEN-3", "LLQ-GEN-10")
def sample_from_many_tokens() -> Sample:
    """2000 ids, and 16 of them are likely: the weights of all others count too, as far as they are kept."""
    limits = [(0, 1.0)] * 12 + [(1500, 1.0)] * 8 + [(400, 1.0)] * 8 + [(0, 0.75)] * 8
    draws = [Draw(1, top_k, top_p, seed=41 + i, count=3) for i, (top_k, top_p) in enumerate(limits)]
    return sample(CROWD, *draws)


@computed("sample", "LLQ-GEN-3")
def sample_from_500_alike() -> Sample:
    """500 ids of equal logits: each MUST be drawn as often as the others, the last of them too."""
    return sample((1.5,) * 500, *(Draw(seed=71 + i, position=9 * i, count=2) for i in range(16)))


def cumulative(count: int) -> float:
    """Return the share of the first ids of the ranking."""
    return sum(sorted(SHARES, reverse=True)[:count])


@computed("sample", "LLQ-GEN-3", cases={"1": 1, "2": 2, "3": 3, "4": 4, "5": 5})
def sample_with_top_p_around_the_sum_of(count: int) -> Sample:
    """top_p is just below the share of the first {}, just above it, and equal: the fewest MUST be kept."""
    below, above = (cumulative(count) + side * OUTSIDE for side in (-1, 1))
    draws = [Draw(1.0, 0, top_p, seed=41, count=40) for top_p in (below, above)]
    return sample(FALLING, *draws, Draw(1.0, 0, cumulative(count), seed=41, count=4))


TOP_PS = {
    "0": 0.0,
    "the smallest binary32": 2.0**-149,
    "2^-24": 2.0**-24,
    "1 minus 2^-24": 1 - 2.0**-24,
    "1": 1.0,
    "1.5": 1.5,
    "the largest binary32": LARGEST32,
}


@computed("sample", "LLQ-GEN-3", cases=TOP_PS)
def sample_with_top_p(top_p: float) -> Sample:
    """top_p is {}: at least one id MUST be kept, and all if top_p is at least 1."""
    return sample(FALLING, Draw(2.0, 0, top_p, seed=43, count=48))


@computed("sample", "LLQ-GEN-3")
def sample_with_equals_across_top_p() -> Sample:
    """Equal logits are on both sides of top_p: those of the lowest ids MUST be kept."""
    return sample(EVEN, *(Draw(1.0, 0, share / 8 - OUTSIDE, seed=45, count=24) for share in (1, 3, 5, 7)))


@computed("sample", "LLQ-GEN-3")
def sample_with_top_k_and_top_p() -> Sample:
    """top_k and top_p are set: top_p MUST be a share of the sum over the ids that top_k keeps."""
    draws = [Draw(1.0, 4, 0.55, seed=47, count=40), Draw(1.0, 2, 0.65, seed=48, count=40)]
    return sample(FALLING, *draws, Draw(2.5, 5, 0.5, seed=49, count=40), Draw(0.4, 5, 0.9, seed=50, count=40))


SEEDS = {
    "0": 0,
    "1": 1,
    "2^31": 2**31,
    "2^32 minus 1": 2**32 - 1,
    "2^32": 2**32,
    "2^32 plus 1": 2**32 + 1,
    "2^53": 2**53,
    "2^53 plus 1": 2**53 + 1,
    "2^63 plus 1": 2**63 + 1,
    "2^64 minus 1": 2**64 - 1,
    "without pattern": 0x0123456789ABCDEF,
}


@computed("sample", "LLQ-GEN-3", cases=SEEDS)
def sample_with_seed(seed: int) -> Sample:
    """The seed is {}: all its 64 bits MUST count."""
    return sample(EVEN, Draw(seed=seed, count=24))


@computed("sample", "LLQ-GEN-3")
def sample_at_length() -> Sample:
    """400 tokens are drawn: each MUST use the random number of its own position."""
    return sample((0.0, 0.5, 0.0, 0.25), Draw(seed=51, count=400))


@computed("sample", "LLQ-GEN-3")
def sample_again() -> Sample:
    """Draws are repeated, in parts and after others: a token MUST depend on seed and position alone."""
    first = settled(EVEN, Draw(seed=53, count=32))
    other = settled(EVEN, Draw(0.5, 5, 0.8, seed=54, position=9, count=8))
    later = replace(first, position=first.position + 7, count=5)
    return Sample(EVEN, [first, other, first, later, replace(later, count=1), later])


POSITIONS = {"255": 255, "65535": 65535, "2^24": 2**24, "2^31 minus 1024": 2**31 - 1024}


@computed("sample", "LLQ-GEN-3", cases=POSITIONS)
def sample_from_position(position: int) -> Sample:
    """The first position is {}: all its bits MUST count."""
    return sample(EVEN, Draw(seed=57, position=position, count=24))


@computed("sample", "LLQ-GEN-3")
def sample_of_one() -> Sample:
    """The vocabulary has a single token: it MUST be drawn."""
    return sample((-3.0,), Draw(count=5), Draw(0.0), Draw(2.0, 7, 0.5, 3))


WIDE = 66_001


@computed("sample", "LLQ-GEN-3")
def sample_of_many() -> Sample:
    """The vocabulary has 66001 tokens: ids 0, 40000, 65900 and 66000 MUST be drawn by their weights."""
    largest = {0: 0.0, 40_000: -0.5, 65_900: 0.5, WIDE - 1: 1.0}
    logits = [largest.get(token, -24.0) for token in range(WIDE)]
    return sample(logits, Draw(2.0, seed=59, count=12), Draw(1.0, 3, seed=60, count=8), Draw(0.0, seed=60))


def singly(logits: Sequence[float], draw: Draw, number: int) -> list[Draw]:
    """Return draws of one token each, at the first positions from a draw's own on that are clear."""
    draws: list[Draw] = []
    for _ in range(number):
        draws.append(settled(logits, draw))
        draw = replace(draw, position=draws[-1].position + 1)
    return draws


def bordering(logits: Sequence[float], draw: Draw, share: Fraction) -> list[Draw]:
    """Return the first draws whose u is outside the guard band of a share, by at most the width of the band.

    The one has the larger u, the other the smaller one, where there is a clear one.
    """
    choice = Choice(logits, draw)
    draws = []
    for low, high in ((share + GUARD, share + 2 * GUARD), (share - 2 * GUARD, share - GUARD)):
        hits = (p for p in range(SEARCHED) if low < uniform(p, draw.seed) < high)
        candidates = (replace(draw, position=position) for position in hits)
        draws += list(islice((candidate for candidate in candidates if clear(choice, candidate)), 1))
    return draws


SEARCHED = 60_000
"""Number of positions that are searched for a random number."""

SMALL = {"a fortieth": 10.75, "a fifth": 8.5, "seven tenths": 6.25}


@computed("sample", "LLQ-GEN-3", cases=SMALL)
def sample_of_small_weights_that_add_up_to(step: float) -> Sample:
    """2500 ids of small weight have {} of the total: the sum MUST NOT lose them."""
    logits = [0.0, *([-step] * 2500), 0.0]
    return Sample(logits, singly(logits, Draw(seed=69, count=1), 16))


@computed("sample", "LLQ-GEN-3")
def sample_of_weights_below_binary16() -> Sample:
    """25000 ids have weights below 2^-24: the sum MUST NOT lose them."""
    logits = [*([-16.65625] * 25_000), 0.0, 0.0]
    draw = Draw(seed=71)
    return Sample(logits, [*singly(logits, draw, 16), *bordering(logits, draw, Fraction(1, 2) - GUARD)])


@computed("sample", "LLQ-GEN-3")
def sample_of_weights_that_binary16_rounds_to_zero() -> Sample:
    """50000 ids have weights below 2^-25: the sum MUST NOT lose them."""
    logits = [*([-17.40625] * 50_000), 0.0, 0.0]
    draw = Draw(seed=71)
    return Sample(logits, bordering(logits, draw, Fraction(1, 2) - GUARD))


@computed("sample", "LLQ-GEN-3", cases={"1 over 3": 1 / 3, "1": 1.0, "5": 5.0})
def sample_next_to_boundaries_at(temperature: float) -> Sample:
    """Random numbers are just below and just above the boundaries between tokens, at temperature {}."""
    draw = Draw(temperature, seed=73)
    shares = Choice(NOISE, draw).shares()
    return Sample(NOISE, [near for share in shares for near in bordering(NOISE, draw, share)])


@computed("sample", "LLQ-GEN-3")
def sample_of_extreme_logits() -> Sample:
    """Logits differ by more than binary32 can hold: the token of the largest logit MUST be drawn."""
    tail = (-LARGEST32, -0.0, 2.0**-149, 0.5, nearest32(-1e30))
    return sample((*tail, LARGEST32), Draw(seed=63, count=6), Draw(100.0, 3, 0.9, 63, count=6), Draw(0.0))


@computed("sample", "LLQ-GEN-3")
def sample_of_low_logits() -> Sample:
    """All logits are far below 0: the largest of them MUST have the weight 1."""
    logits = tuple(nearest32(logit - 1e4) for logit in EXAMPLE)
    return sample(logits, Draw(seed=64, count=24), Draw(2.0, 3, 0.8, seed=64, count=24))


@computed("sample", "LLQ-GEN-3")
def sample_of_both_zeros() -> Sample:
    """Some logits are 0 and some -0, which are equal: the lowest ids MUST be kept."""
    logits = (-1.0, -0.0, 0.0, -0.0, 0.0, -2.0)
    return sample(logits, Draw(0.0), *(Draw(0.5, top_k, seed=65, count=24) for top_k in (1, 2, 3)))


REFUSED = {
    "a temperature below 0": Draw(-1.0),
    "a temperature above binary32": Draw(1e39),
    "a top_p below 0": Draw(1.0, 0, -0.25),
    "a top_p above binary32": Draw(1.0, 0, 1e39),
}


@computed("sample", "LLQ-GEN-9", cases=REFUSED)
def sample_refused_for(draw: Draw) -> Sample:
    """The request has {}: the runtime MUST refuse it, and answer the next."""
    return sample(EXAMPLE, Draw(seed=67, count=3), draw, Draw(seed=67, count=3))
