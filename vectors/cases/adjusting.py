"""Adjusted choice: biases, repetition penalty, min_p and masks, alone, together and at their boundaries."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Any

from vectors.kit.activation import nearest32
from vectors.kit.adjusting import AdjustedDraw, AdjustedSample, mask_of, settled
from vectors.kit.computed import computed
from vectors.kit.sampling import LARGEST32
from vectors.kit.weights import between

Draw = AdjustedDraw
LOGITS = (1.0, 3.0, 2.0, 3.0, -1.0, 0.5, -2.0, 0.0)
NOISE = tuple(nearest32(between(71, token, -2.0, 2.0)) for token in range(70))
SHARES = (0.05, 0.3, 0.1, 0.2, 0.15, 0.2)
FALLING = tuple(nearest32(log(share)) for share in SHARES)
"""Logits of these shares of the total, nearly; their weights are 1/6, 1, 1/3, 2/3, 1/2 and 2/3."""


def adjust(logits: Sequence[float], *draws: Draw) -> AdjustedSample:
    """Return draws, each at the first position from its own on at which every token is clear."""
    refused = [draw.refused_for(len(logits)) for draw in draws]
    pairs = zip(draws, refused, strict=True)
    return AdjustedSample(logits, [draw if no else settled(logits, draw) for draw, no in pairs])


@computed("adjust", "LLQ-GEN-11")
def adjust_nothing() -> AdjustedSample:
    """No bias, a penalty of 1, a min_p of 0 and a mask of ones: the choice MUST be that of GEN-6."""
    ones = tuple([2**32 - 1] * 3)
    draws = [Draw(1.5, seed=3, count=24), Draw(0.8, 5, 0.7, 4, count=24), Draw(0.0, count=3)]
    return adjust(NOISE, *draws, Draw(1.5, seed=5, count=24, mask=ones, logit_bias=((4, 0.0),)))


@computed("adjust", "LLQ-GEN-11")
def adjust_by_biases() -> AdjustedSample:
    """Ids have biases, of both signs, the first and the last id too: each MUST be added to its logit."""
    biases = ((0, 1.5), (1, -4.0), (4, 5.0), (7, 2.75))
    draws = [
        Draw(0.7, seed=7, count=24, logit_bias=biases),
        Draw(3.0, 4, seed=8, count=24, logit_bias=biases),
    ]
    return adjust(LOGITS, *draws, Draw(1.0, 0, 0.6, 9, count=24, logit_bias=biases), Draw(seed=9, count=12))


@computed("adjust", "LLQ-GEN-11")
def adjust_greedily() -> AdjustedSample:
    """The temperature is 0: biases, penalty and mask MUST apply, and min_p has no effect."""
    return adjust(
        LOGITS,
        Draw(0.0, logit_bias=((2, 1.5),)),
        Draw(0.0, logit_bias=((1, -3.0),)),
        Draw(0.0, count=2, repetition_penalty=4.0, sequence=(1,)),
        Draw(0.0, mask=mask_of([0, 4, 7], 8)),
        Draw(0.0, min_p=1.0),
        Draw(2.0**-61, min_p=0.5, mask=mask_of([0, 5], 8), logit_bias=((5, 1.0),)),
    )


PENALTIES = {"1.5": 1.5, "100": 100.0, "0.5": 0.5, "the largest binary32": LARGEST32}


@computed("adjust", "LLQ-GEN-11", cases=PENALTIES)
def adjust_by_a_penalty_of(penalty: float) -> AdjustedSample:
    """The penalty is {}: logits above 0 MUST be divided by it, and others multiplied, if their ids repeat."""
    logits = (1.0, 2.0, 1.5, -1.0, -0.75, 0.0, 0.25, -0.5)
    once = Draw(1.0, seed=11, repetition_penalty=penalty, sequence=(1, 3, 5))
    later = [Draw(2.0, seed=seed, repetition_penalty=penalty, sequence=(0, 4)) for seed in range(12, 20)]
    return adjust(logits, *[Draw(**{**vars(once), "seed": seed}) for seed in range(20, 36)], *later)


@computed("adjust", "LLQ-GEN-11")
def adjust_by_a_penalty_of_the_output() -> AdjustedSample:
    """Tokens are chosen one after another: each chosen token MUST count for the penalty of the next."""
    falling = (4.0, 3.5, 3.0, 2.5, 2.0, 1.5)
    draws = [
        Draw(0.0, count=5, repetition_penalty=3.0, sequence=(5,)),
        Draw(0.5, count=5, seed=17, repetition_penalty=8.0, sequence=(5, 0)),
    ]
    return adjust(falling, *draws, Draw(0.0, count=3, sequence=(5, 0)), draws[0])


@computed("adjust", "LLQ-GEN-11")
def adjust_by_a_penalty_of_the_prompt() -> AdjustedSample:
    """Ids are in the prompt, some of them several times: the penalty MUST apply once to each of them."""
    logits = (3.0, 2.5, 2.0, 1.75, 1.0)
    draws = [
        Draw(0.0, repetition_penalty=1.25, sequence=sequence)
        for sequence in ((0,), (0, 0, 0), (4, 0, 1, 0, 0), (1, 0, 2, 0, 1, 0), (3, 3, 3))
    ]
    drawn = [Draw(1.0, seed=s, repetition_penalty=1.25, sequence=(0, 0, 4, 0, 0, 0)) for s in range(8)]
    return adjust(logits, *draws, *drawn)


@computed("adjust", "LLQ-GEN-11")
def adjust_by_bias_and_penalty() -> AdjustedSample:
    """Ids have a bias and repeat: the bias MUST be added before the penalty, whatever the sign of the sum."""
    logits = (2.0, 1.0, -1.0, 0.5)
    biases = ((0, -3.0), (1, 4.0), (2, 3.0))
    greedy = [
        Draw(0.0, repetition_penalty=2.0, sequence=(0, 1), logit_bias=((0, -1.0), (1, 2.0), (3, 0.75))),
        Draw(0.0, repetition_penalty=2.0, sequence=(2,), logit_bias=((0, -1.5), (2, 4.5))),
    ]
    parameters: dict[str, Any] = {"repetition_penalty": 2.5, "sequence": (0, 1, 2), "logit_bias": biases}
    return adjust(logits, *greedy, *(Draw(1.5, seed=seed, **parameters) for seed in range(16)))


MIN_PS = {"0": 0.0, "2^-149": 2.0**-149, "0.25": 0.25, "0.6": 0.6, "1": 1.0}


@computed("adjust", "LLQ-GEN-11", cases=MIN_PS)
def adjust_with_min_p(min_p: float) -> AdjustedSample:
    """min_p is {}: ids whose weight is below it MUST be dropped, and the first of the ranking never."""
    return adjust(
        FALLING, Draw(1.0, seed=21, count=40, min_p=min_p), Draw(2.0, seed=22, count=40, min_p=min_p)
    )


@computed("adjust", "LLQ-GEN-11")
def adjust_with_min_p_and_equals() -> AdjustedSample:
    """Several ids have the maximum logit, and min_p is 1: all of them MUST be kept."""
    return adjust((0.5, 2.0, 1.0, 2.0, 2.0), Draw(0.3, seed=23, count=24, min_p=1.0))


@computed("adjust", "LLQ-GEN-11")
def adjust_with_min_p_after_top_p() -> AdjustedSample:
    """top_p and min_p are set: top_p MUST be a share of the sum over all ids, including ids below min_p."""
    draws = [
        Draw(1.0, 0, 0.45, 25, count=40, min_p=0.6),
        Draw(1.0, 0, 0.65, 26, count=40, min_p=0.4),
        Draw(1.0, 5, 0.6, 27, count=40, min_p=0.6),
        Draw(1.0, 3, 0.9, 28, count=40, min_p=0.4),
        Draw(1.0, 2, 0.95, 29, count=40, min_p=0.1),
        Draw(2.0, 5, 0.3, 30, count=40, min_p=0.75),
    ]
    return adjust(FALLING, *draws)


@computed("adjust", "LLQ-GEN-11")
def adjust_with_min_p_and_top_k_of_many() -> AdjustedSample:
    """top_k, top_p and min_p are set, with ties at top_k: top_p MUST be a share of the sum over top_k ids."""
    logits = tuple(nearest32(between(73, token, -3.0, 0.0)) if token % 3 else -1.0 for token in range(600))
    high = tuple(2.5 if token in (17, 300, 599) else logit for token, logit in enumerate(logits))
    draws = [Draw(1.0, 250, p, 31, 40 * i, 4, min_p=0.05) for i, p in enumerate((0.1, 0.2, 0.3, 0.36))]
    return adjust(high, *draws, Draw(1.0, 100, 0.5, 32, count=4, min_p=0.02))


MASKS = {
    "the first id": (0,),
    "the last id": (69,),
    "ids of three words": (3, 31, 32, 63, 64, 69),
    "all but the maximum": tuple(set(range(70)) - {NOISE.index(max(NOISE))}),
}


@computed("adjust", "LLQ-GEN-11", cases=MASKS)
def adjust_with_a_mask_of(ids: Sequence[int]) -> AdjustedSample:
    """A mask allows {}: no other token MUST be chosen, and limits MUST be those of the allowed ids."""
    mask = mask_of(ids, len(NOISE))
    draws = [Draw(4.0, seed=33, count=24), Draw(1.0, 3, seed=34, count=12), Draw(2.0, 0, 0.6, 35, count=12)]
    adjusted = [*draws, Draw(2.0, 4, 0.8, 36, count=12, min_p=0.3), Draw(0.0)]
    return adjust(NOISE, *(Draw(**{**vars(draw), "mask": mask}) for draw in adjusted))


@computed("adjust", "LLQ-GEN-11")
def adjust_with_a_mask_of_ids_that_are_not_there() -> AdjustedSample:
    """A mask has ones after the last id of the vocabulary: they MUST have no effect."""
    mask = (0b1111_0000_0110,)
    return adjust(LOGITS, Draw(3.0, seed=37, count=24, mask=mask), Draw(3.0, 1, seed=38, count=4, mask=mask))


@computed("adjust", "LLQ-GEN-11")
def adjust_with_everything() -> AdjustedSample:
    """Biases, penalty, mask, top_k, top_p and min_p are set: they MUST apply in the order of GEN-11."""
    parameters: dict[str, Any] = {
        "min_p": 0.15,
        "repetition_penalty": 1.75,
        "logit_bias": ((2, 1.25), (40, -2.0), (69, 3.0)),
        "sequence": (1, 69, 12, 1, 30),
        "mask": mask_of([token for token in range(70) if token % 5], 70),
    }
    draws = [Draw(1.5, 9, 0.75, seed, count=4, **parameters) for seed in range(40, 48)]
    return adjust(NOISE, *draws, Draw(0.0, count=3, **parameters))


@computed("adjust", "LLQ-GEN-11")
def adjust_extreme_logits() -> AdjustedSample:
    """Sums and products exceed binary32: they MUST count as the largest number, and stay allowed."""
    logits = (LARGEST32, -LARGEST32, 1.0, nearest32(-1e38))
    mask = mask_of([1, 3], 4)
    return adjust(
        logits,
        Draw(0.0, logit_bias=((0, LARGEST32),)),
        Draw(0.0, logit_bias=((1, -LARGEST32),), mask=mask_of([1], 4)),
        Draw(1.0, seed=52, count=2, mask=mask),
        Draw(0.0, repetition_penalty=100.0, sequence=(0, 1), mask=mask),
        Draw(0.0, repetition_penalty=LARGEST32, sequence=(3,), mask=mask_of([2, 3], 4)),
    )


WIDE = 66_001


@computed("adjust", "LLQ-GEN-11")
def adjust_many() -> AdjustedSample:
    """The vocabulary has 66001 tokens: biases, penalty and mask MUST find ids above 65535 too."""
    large = {0: 0.0, 40_000: -0.5, 65_900: 0.5, WIDE - 1: 1.0}
    logits = [large.get(token, -24.0) for token in range(WIDE)]
    return adjust(
        logits,
        Draw(0.0, logit_bias=((65_900, 2.0),)),
        Draw(0.0, repetition_penalty=4.0, sequence=(WIDE - 1,)),
        Draw(0.0, mask=mask_of([0, 40_000, 65_899], WIDE)),
        Draw(1.0, seed=61, mask=mask_of([40_000, 65_900, WIDE - 1], WIDE), min_p=0.3, sequence=(WIDE - 1,)),
    )


REFUSED = {
    "a penalty of 0": Draw(repetition_penalty=0.0),
    "a penalty below 0": Draw(repetition_penalty=-1.0),
    "a penalty that binary32 rounds to 0": Draw(repetition_penalty=1e-46),
    "a penalty above binary32": Draw(0.0, repetition_penalty=1e39),
    "a min_p below 0": Draw(min_p=-0.25),
    "a min_p above 1": Draw(min_p=1.25),
    "a bias above binary32": Draw(0.0, logit_bias=((1, 1e39),)),
    "a bias of an id that is not there": Draw(0.0, logit_bias=((8, 1.0),)),
    "a mask of zeros": Draw(mask=(0,)),
    "a mask of other ids alone": Draw(0.0, mask=(0b111 << 8,)),
    "a mask without words": Draw(mask=()),
    "a mask of 2 words": Draw(mask=(1, 1)),
    "a temperature below 0": Draw(-1.0, min_p=0.5),
}


@computed("adjust", "LLQ-GEN-13", cases=REFUSED)
def adjust_refused_for(draw: Draw) -> AdjustedSample:
    """The request has {}: the runtime MUST refuse it, and answer the next."""
    return adjust(LOGITS, Draw(seed=67, count=3), draw, Draw(seed=67, count=3))
