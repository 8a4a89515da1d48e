"""Sampled choice in exact arithmetic, with the guard band of GEN-8 (section Sampled choice)."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cache, cached_property
from itertools import accumulate, count
from typing import Any

from vectors.kit.activation import nearest32
from vectors.kit.computed import Answer
from vectors.kit.npy import npy32

Json = Any
COLDEST = 2.0**-60
GUARD = Fraction(1, 2**12)
SLACK = Fraction(1, 2**40)
"""Bound on the error of fixed-point weights in a share of their sum."""

UNIT = 2**160
"""Fixed-point representation of weight 1."""

LOWEST = -100
"""Exponent below which a weight is far smaller than the slack."""

LARGEST32 = (2 - 2.0**-23) * 2.0**127
ROUNDS = 10
WORD = 0xFFFFFFFF


def philox(position: int, seed: int) -> int:
    """Return the first word of Philox4x32-10 for counter (position, 0, 0, 0) and a key of 64 bits."""
    c0, c1, c2, c3 = position, 0, 0, 0
    k0, k1 = seed & WORD, seed >> 32
    for _ in range(ROUNDS):
        high0, low0 = divmod(0xD2511F53 * c0, 2**32)
        high2, low2 = divmod(0xCD9E8D57 * c2, 2**32)
        c0, c1, c2, c3 = high2 ^ c1 ^ k0, low2, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) & WORD, (k1 + 0xBB67AE85) & WORD
    return c0


@cache
def uniform(position: int, seed: int) -> Fraction:
    """Return the random number of a position."""
    return Fraction(philox(position, seed) >> 8, 2**24)


@dataclass(frozen=True)
class Draw:
    """Tokens of consecutive positions, drawn from the same logits."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0
    position: int = 0
    count: int = 1

    @property
    def refused(self) -> bool:
        """Whether GEN-9 asks for a refusal."""
        return any(not 0 <= value <= LARGEST32 for value in (self.temperature, self.top_p))

    def members(self) -> dict[str, Json]:
        """Return the parameters as the message has them: the seed as decimal digits."""
        return {**vars(self), "seed": str(self.seed)}


class Choice:
    """The choices that a draw's parameters leave for given logits."""

    def __init__(self, logits: Sequence[float], draw: Draw, guard: Fraction = GUARD) -> None:
        """Rank the ids and weigh those that top_k keeps; guard: how far u and top_p may move."""
        self.logits, self.guard = logits, guard + SLACK
        self.temperature, self.top_p = nearest32(draw.temperature), nearest32(draw.top_p)
        ranked = sorted(range(len(logits)), key=lambda token: (-logits[token], token))
        self.everything = ranked
        self.ranked = ranked[: draw.top_k] if draw.top_k else ranked
        self.seed = draw.seed
        self.weights = {} if self.greedy else self._weights()

    @property
    def greedy(self) -> bool:
        """Whether the temperature counts as 0."""
        return self.temperature < COLDEST

    def tokens(self, position: int) -> set[int]:
        """Return the tokens at the ends of what GEN-8 permits: one if no legal rounding decides."""
        if self.greedy:
            return {self.ranked[0]}
        u = uniform(position, self.seed)
        ends = (max(u - self.guard, Fraction(0)), min(u + self.guard, 1 - SLACK))
        return {self._drawn(kept, sums, end) for kept, sums in self._kept for end in ends}

    def shares(self) -> list[Fraction]:
        """Return the boundaries between the tokens, in ascending order, as shares of the total."""
        _, sums = self._kept[-1]
        return [Fraction(part, sums[-1]) for part in sums[:-1]]

    def counts(self) -> range:
        """Return the numbers of first ids that top_p may keep."""
        if self.top_p >= 1:
            return range(len(self.ranked), len(self.ranked) + 1)
        sums = list(accumulate(self.weights[token] for token in self.ranked))
        low, high = (self._count(sums, Fraction(self.top_p) + side * self.guard) for side in (-1, 1))
        return range(low, high + 1)

    def cut_clearly(self, gap: float) -> bool:
        """Whether the logits on both sides of each possible cut, by top_k or top_p, differ by a gap."""
        cuts = {len(self.ranked), *(len(ids) for ids, _ in self._kept)} - {len(self.everything)}
        kept = ((self.everything[cut - 1], self.everything[cut]) for cut in cuts)
        return all(self.logits[last] - self.logits[first] >= gap for last, first in kept)

    def _weights(self) -> dict[int, int]:
        logits = self.logits
        largest, known = logits[self.ranked[0]], dict[float, int]()
        with localcontext() as context:
            context.prec = 60
            for token in self.ranked:
                logit = logits[token]
                if logit not in known:
                    exponent = (Decimal(logit) - Decimal(largest)) / Decimal(self.temperature)
                    known[logit] = int(exponent.exp() * UNIT) if exponent > LOWEST else 0
        return {token: known[logits[token]] for token in self.ranked}

    @cached_property
    def _kept(self) -> list[tuple[list[int], list[int]]]:
        """The sets of ids that top_p may keep, each in ascending order with its cumulative weights."""
        kept = [sorted(self.ranked[:number]) for number in self.counts()]
        return [(ids, list(accumulate(self.weights[token] for token in ids))) for ids in kept]

    def _count(self, sums: Sequence[int], share: Fraction) -> int:
        """Return how many first ids make at least a share of the sum: at least one, at most all."""
        return max(1, min(bisect_left(sums, math.ceil(share * sums[-1])) + 1, len(sums)))

    def _drawn(self, kept: Sequence[int], sums: Sequence[int], u: Fraction) -> int:
        return kept[bisect_right(sums, math.floor(u * sums[-1]))]


def clear(choice: Choice, draw: Draw) -> bool:
    """Whether each position of a draw has a single legal token."""
    return all(len(choice.tokens(draw.position + step)) == 1 for step in range(draw.count))


def settled(logits: Sequence[float], draw: Draw) -> Draw:
    """Return the draw at the first position from its own on at which every token is clear."""
    choice = Choice(logits, draw)
    candidates = (replace(draw, position=position) for position in count(draw.position))
    return next(candidate for candidate in candidates if clear(choice, candidate))


@dataclass(frozen=True)
class Sample:
    """Draws from one vector of logits, one after another."""

    logits: Sequence[float]
    draws: Sequence[Draw]

    def answer(self, home: str) -> Answer:
        """Return the draws with their tokens, null for a draw that must be refused, and the logits."""
        path = f"{home}/logits.npy"
        draws = [{**draw.members(), "expected": self._expected(home, draw)} for draw in self.draws]
        return {"logits": path, "draws": draws}, {path: npy32((len(self.logits),), self.logits)}

    def _expected(self, home: str, draw: Draw) -> list[int] | None:
        if draw.refused:
            return None
        choice = Choice(self.logits, draw)
        if not clear(choice, draw):
            raise ValueError(f"{home}: a token of {draw} is in the guard band")
        return list(self._tokens(choice, draw))

    @staticmethod
    def _tokens(choice: Choice, draw: Draw) -> Iterator[int]:
        for step in range(draw.count):
            (token,) = choice.tokens(draw.position + step)
            yield token
