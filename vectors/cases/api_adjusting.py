"""Interface: answers from adjusted logits, log-probabilities and masks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from vectors.cases.api import PROMPT, fails, inference, loaded
from vectors.kit.adjusting import mask_of
from vectors.kit.api_scenario import Interface
from vectors.kit.computed import computed

Json = Any
VOCABULARY = 271
REPEATED = " worhello"
"""A prompt that contains the token which the model would choose next."""

UNLIKELY: dict[str, Json] = {"temperature": 20, "topK": 3, "seed": 3, "logitBias": {"7": 24}}
ADJUSTED: dict[str, tuple[str, dict[str, Json]]] = {
    "minP": (PROMPT, {"temperature": 20, "minP": 0.27, "seed": 18}),
    "logitBias": (PROMPT, {"logitBias": {"263": -29.5, "0": 5}}),
    "logitBias at a temperature": (PROMPT, UNLIKELY),
    "repetitionPenalty": (REPEATED, {"repetitionPenalty": 4.5}),
}
"""Options with a clear answer: without the option it is another one."""


@computed("api", "LLQ-GEN-11", "LLQ-API-15", cases=ADJUSTED)
def answer_adjusted_with(case: tuple[str, dict[str, Json]]) -> Interface:
    """An answer is adjusted with {}: infer and stream MUST give the text of the tokens that GEN-11 gives."""
    prompt, options = case
    of = inference(prompt, maxTokens=4, **options)
    return loaded(of.step("infer", "LLQ-GEN-11"), of.step("stream", "LLQ-GEN-11"))


WRONG: dict[str, dict[str, Json]] = {
    "a minP above 1": {"minP": 1.5},
    "a minP that is text": {"minP": "0.5"},
    "a penalty of 0": {"repetitionPenalty": 0},
    "a bias that is text": {"logitBias": {"1": "2"}},
    "a bias of an id that is not there": {"logitBias": {"271": 1}},
    "a bias of a token's text": {"logitBias": {"hello": 1}},
    "half a log-probability": {"logprobs": 0.5},
    "a mask that is not a function": {"mask": 1},
}


@computed("api", "LLQ-API-8", "LLQ-GEN-13")
def adjustments_that_make_no_sense() -> Interface:
    """Options of adjusted choice are out of range: each call MUST fail, and the next MUST succeed."""
    calls = [
        {"do": action, "prompt": PROMPT, "options": options, **fails("8", "input")}
        for options in WRONG.values()
        for action in ("infer", "stream")
    ]
    return loaded(*calls, inference(maxTokens=4).step("infer", "10"))


LOGPROBS: dict[str, dict[str, Json]] = {
    "the chosen token alone": {"logprobs": 0},
    "two tokens": {"logprobs": 2},
    "a temperature and a bias": {
        "logprobs": 2,
        "temperature": 20,
        "topK": 3,
        "seed": 3,
        "logitBias": {"7": 24},
    },
}


@computed("api", "LLQ-API-50", "LLQ-GEN-14", cases=LOGPROBS)
def logprobs_of(options: dict[str, Json]) -> Interface:
    """A stream reports log-probabilities of {}: they MUST be those of the logits before options apply."""
    of = inference(maxTokens=3, **options)
    return loaded(of.step("stream", "LLQ-API-50"), inference(maxTokens=2).step("stream", "15"))


def mask(*ids: int) -> tuple[int, ...]:
    """Return the mask that allows these ids alone."""
    return mask_of(ids, VOCABULARY)


@computed("api", "LLQ-API-51", "LLQ-GEN-11")
def answer_with_masks() -> Interface:
    """A hook allows some ids for each token, or all: the answer MUST have allowed tokens alone."""
    masks = (mask(108, 100, 32), None, mask(*range(100, 140)), mask(0, 10, 270))
    of = replace(inference(maxTokens=5), masks=masks)
    return loaded(of.step("infer", "LLQ-API-51"), of.step("stream", "LLQ-API-51"))


@computed("api", "LLQ-API-51", "LLQ-GEN-11")
def answer_with_a_mask_of_the_end() -> Interface:
    """A hook allows the end token alone after two tokens: the answer MUST end with reason stop."""
    masks = (None, None, mask(270))
    of = replace(inference(maxTokens=5), masks=masks)
    return loaded(of.step("stream", "LLQ-API-51"), inference(maxTokens=4).step("infer", "10"))


@computed("api", "LLQ-API-51", "LLQ-GEN-13")
def masks_that_allow_nothing() -> Interface:
    """A hook gives a mask of zeros, or one that is too short: the call MUST fail with code input."""
    calls = [
        {"do": "infer", "prompt": PROMPT, "masks": [None, list(bad)], **fails("51", "input")}
        for bad in (mask(), (1,), mask(1)[:-1])
    ]
    return loaded(*calls, inference(maxTokens=4).step("infer", "10"))
