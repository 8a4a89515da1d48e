"""Adjusted choice in exact arithmetic, with the margins of GEN-8 and GEN-12 (section Adjusted choice)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

from vectors.kit.activation import nearest32
from vectors.kit.computed import Answer
from vectors.kit.npy import npy32
from vectors.kit.sampling import COLDEST, GUARD, LARGEST32, UNIT, Choice, Draw

Json = Any
RELATIVE, ABSOLUTE = Fraction(1, 2**20), Fraction(1, 2**120)
"""How far GEN-12 lets z′ be from z."""

WORD = 32
LARGEST_MARGIN = Fraction(1, 16)
"""Largest margin of a share of the sum for which 3 times an exponent's error bounds the share's error."""

SEARCHED = 500
"""Number of positions that are searched for a draw whose tokens are clear."""

NEAR = 64
"""Exponent below which no error of an id's weight moves a share."""


@dataclass(frozen=True)
class AdjustedDraw(Draw):
    """A draw whose logits are adjusted.

    sequence: the ids of the prompt and of the output so far; each drawn token is appended to it.
    """

    min_p: float = 0.0
    repetition_penalty: float = 1.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    sequence: tuple[int, ...] = (0,)
    mask: tuple[int, ...] | None = None

    def refused_for(self, vocabulary: int) -> bool:
        """Whether GEN-9 or GEN-13 asks for a refusal, with a vocabulary of this size."""
        penalty, biases = self.repetition_penalty, dict(self.logit_bias)
        return (
            self.refused
            or not 0 <= self.min_p <= 1
            or not 0 < penalty <= LARGEST32
            or nearest32(penalty) == 0
            or any(abs(bias) > LARGEST32 or token >= vocabulary for token, bias in biases.items())
            or (self.mask is not None and not allowed(self.mask, vocabulary))
        )


def allowed(mask: Sequence[int], vocabulary: int) -> list[int]:
    """Return the ids that a mask allows; none if its length is wrong."""
    if len(mask) != -(-vocabulary // WORD):
        return []
    return [token for token in range(vocabulary) if mask[token // WORD] >> token % WORD & 1]


def mask_of(ids: Sequence[int], vocabulary: int) -> tuple[int, ...]:
    """Return the mask that allows these ids alone."""
    words = [0] * -(-vocabulary // WORD)
    for token in ids:
        words[token // WORD] |= 1 << token % WORD
    return tuple(words)


@dataclass(frozen=True)
class Adjusted:
    """An adjusted logit, and how far GEN-12 lets it be away: z is a binary64 number if that is 0."""

    z: Fraction | float
    error: Fraction | int


def adjusted(logit: float, bias: float, penalty: float, *, repeated: bool) -> Adjusted:
    """Return z of an id by steps 1 to 3; repeated: whether the sequence contains the id."""
    addend, factor = Fraction(nearest32(bias)), Fraction(nearest32(penalty))
    if addend == 0 and not (repeated and factor != 1):
        return Adjusted(logit, 0)
    z = Fraction(logit) + addend
    if repeated:
        z = z / factor if z > 0 else z * factor
    largest = Fraction(LARGEST32)
    z = max(-largest, min(z, largest))
    return Adjusted(z, RELATIVE * abs(z) + ABSOLUTE)


def decimal(z: Fraction | float) -> Decimal:
    """Return a number of 60 digits, in a context of this precision."""
    return Decimal(z) if isinstance(z, float) else Decimal(z.numerator) / Decimal(z.denominator)


class AdjustedChoice:
    """The choices that an adjusted draw leaves after a sequence."""

    def __init__(
        self,
        logits: Sequence[float],
        draw: AdjustedDraw,
        sequence: Sequence[int],
        guard: Fraction = GUARD,
        gap: float = 0.0,
    ) -> None:
        """Adjust the logits of the allowed ids.

        guard: how far u and top_p may move. gap: minimum distance on both sides of a cut of the ranking.
        """
        self.draw, self.guard, self.gap = draw, guard, gap
        every = range(len(logits))
        self.ids = list(every) if draw.mask is None else allowed(draw.mask, len(logits))
        biases, repeated = dict(draw.logit_bias), set(sequence)
        penalty = draw.repetition_penalty
        self.values = [
            adjusted(logits[token], biases.get(token, 0.0), penalty, repeated=token in repeated)
            for token in self.ids
        ]

    def tokens(self, position: int) -> set[int]:
        """Return the tokens that GEN-8 and GEN-12 permit; no token if that is not clear."""
        order = sorted(range(len(self.ids)), key=lambda index: (-self.values[index].z, index))
        if nearest32(self.draw.temperature) < COLDEST:
            return {self.ids[order[0]]} if self._separate(order, 1) else set()
        margin = self._margin(order)
        if margin > LARGEST_MARGIN:
            return set()
        with localcontext() as context:
            context.prec = 60
            numbers = [decimal(value.z) for value in self.values]
        choice = _Choice(numbers, self.draw, self.guard + margin, margin)
        if not all(self._separate(order, cut) for cut in choice.cuts()):
            return set()
        return {self.ids[index] for index in choice.tokens(position)}

    def _margin(self, order: Sequence[int]) -> Fraction:
        """Return how far errors of z move shares of the sum: 3 times the largest error of an exponent."""
        temperature = Fraction(nearest32(self.draw.temperature))
        largest = self.values[order[0]].z
        errors = [value.error for value in self.values if largest - value.z < NEAR * temperature]
        return 3 * 2 * max(errors) / temperature

    def _separate(self, order: Sequence[int], cut: int) -> bool:
        """Whether no error lets an id after a cut of the ranking come before one ahead of it."""
        if cut >= len(order):
            return True
        before, after = ([self.values[index] for index in part] for part in (order[:cut], order[cut:]))
        lowest = min(value.z - value.error for value in before)
        highest = max(value.z + value.error for value in after)
        exact = all(not value.error for value in (*before, *after) if lowest <= value.z <= highest)
        if self.gap:
            return lowest - highest >= self.gap
        return lowest > highest or (lowest == highest and exact)


class _Choice(Choice):
    """Choices with min_p."""

    def __init__(self, logits: Sequence[Any], draw: AdjustedDraw, guard: Fraction, margin: Fraction) -> None:
        super().__init__(logits, draw, guard)
        self.min_p, self.margin = Fraction(nearest32(draw.min_p)), margin

    def cuts(self) -> set[int]:
        """Return where the ranking may be cut."""
        return {len(self.ranked), *(len(ids) for ids, _ in self._kept)}

    def counts(self) -> range:
        """Return the numbers of ids that top_p and min_p may keep."""
        of_top_p = super().counts()
        relative = Fraction(1, 2**12) + self.margin
        low, high = (self._likely(min(self.min_p * (1 + side * relative), Fraction(1))) for side in (1, -1))
        return range(min(of_top_p[0], low), min(of_top_p[-1], high) + 1)

    def _likely(self, min_p: Fraction) -> int:
        """Return how many ids have a weight of at least min_p, at least one."""
        return max(1, sum(weight >= min_p * UNIT for weight in self.weights.values()))


def walk(logits: Sequence[float], draw: AdjustedDraw) -> list[int] | None:
    """Return the tokens of a draw, None if one of them is not clear."""
    sequence = list(draw.sequence)
    for step in range(draw.count):
        tokens = AdjustedChoice(logits, draw, sequence).tokens(draw.position + step)
        if len(tokens) != 1:
            return None
        sequence += tokens
    return sequence[len(draw.sequence) :]


def settled(logits: Sequence[float], draw: AdjustedDraw) -> AdjustedDraw:
    """Return the draw at the first position from its own on at which every token is clear."""
    positions = range(draw.position, draw.position + SEARCHED)
    candidates = (replace(draw, position=position) for position in positions)
    return next(candidate for candidate in candidates if walk(logits, candidate) is not None)


@dataclass(frozen=True)
class AdjustedSample:
    """Adjusted draws from one vector of logits, one after another."""

    logits: Sequence[float]
    draws: Sequence[AdjustedDraw]

    def answer(self, home: str) -> Answer:
        """Return the draws with their tokens, null for a draw that must be refused, and the logits."""
        path = f"{home}/logits.npy"
        draws = [{**draw.members(), "expected": self._expected(home, draw)} for draw in self.draws]
        return {"logits": path, "draws": draws}, {path: npy32((len(self.logits),), self.logits)}

    def _expected(self, home: str, draw: AdjustedDraw) -> list[int] | None:
        if draw.refused_for(len(self.logits)):
            return None
        tokens = walk(self.logits, draw)
        if tokens is None:
            raise ValueError(f"{home}: a token of {draw} is not clear")
        return tokens
