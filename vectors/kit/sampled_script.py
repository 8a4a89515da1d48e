"""Sampled answers of a script, where no legal rounding of logits decides a token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise
from math import exp, fsum, log
from typing import Any

from vectors.kit.adjusting import AdjustedChoice, AdjustedDraw
from vectors.kit.decoder import Decoder, Weights
from vectors.kit.disturbance import Exact
from vectors.kit.sampling import Choice, Draw
from vectors.kit.script import Script

Json = Any
Mask = tuple[int, ...] | None
GUARD = Fraction(1, 32)
"""How far legal logits move shares of the sum, at temperatures from `WARM` on."""

WARM = 4.0
GAP = 0.2
"""Minimum distance of logits on both sides of a cut: legal logits do not swap them."""


@dataclass(frozen=True)
class Sampled:
    """A sampled answer: its tokens without the end token, and whether it is clear."""

    tokens: tuple[int, ...]
    clear: bool


@cache
def _logits(script: Script, ids: tuple[int, ...]) -> tuple[float, ...]:
    subject = script.subject()
    decoder = Decoder(subject.model, _weights(script), Exact())
    return tuple([decoder.step(token) for token in ids][-1])


@cache
def _weights(script: Script) -> Weights:
    return Weights(script.subject().tensors())


def adjusted(
    script: Script, prompt: Sequence[int], options: Mapping[str, Json], masks: Sequence[Mask]
) -> Sampled:
    """Return the answer to the ids of a prompt with adjusted logits; the last mask is used further."""
    if 0 < options.get("temperature", 0) < WARM:
        raise ValueError(f"temperature {options['temperature']} is below {WARM}")
    ids = list(prompt)
    for step in range(options["maxTokens"]):
        draw = AdjustedDraw(
            options.get("temperature", 0.0),
            options.get("topK", 0),
            options.get("topP", 1.0),
            options.get("seed", 0) % 2**64,
            min_p=options.get("minP", 0.0),
            repetition_penalty=options.get("repetitionPenalty", 1.0),
            logit_bias=tuple((int(token), bias) for token, bias in options.get("logitBias", {}).items()),
            mask=masks[min(step, len(masks) - 1)] if masks else None,
        )
        choice = AdjustedChoice(_logits(script, tuple(ids)), draw, ids, GUARD, GAP)
        tokens = choice.tokens(len(ids))
        if len(tokens) != 1:
            return Sampled(tuple(ids[len(prompt) :]), clear=False)
        if script.eos in tokens:
            break
        ids += tokens
    return Sampled(tuple(ids[len(prompt) :]), clear=True)


def logprobs(script: Script, ids: Sequence[int], token: int, count: int) -> dict[str, Json]:
    """Return the log-probability of a token after ids, and those of the most probable tokens."""
    logits = _logits(script, tuple(ids))
    shift = max(logits) + log(fsum(exp(logit - max(logits)) for logit in logits))
    ranked = sorted(range(len(logits)), key=lambda id_: (-logits[id_], id_))
    pairs = pairwise(ranked[: count + 1])
    if any(logits[first] - logits[second] < GAP for first, second in pairs):
        raise ValueError(f"the most probable tokens after {ids} are not clear")

    def of(id_: int) -> dict[str, Json]:
        return {"token": id_, "logprob": round(logits[id_] - shift, 6) + 0.0}

    return {**of(token), "top": [of(id_) for id_ in ranked[:count]]}


def sampled(script: Script, prompt: Sequence[int], options: Mapping[str, Json]) -> Sampled:
    """Return the answer to the ids of a prompt."""
    if options["temperature"] < WARM:
        raise ValueError(f"temperature {options['temperature']} is below {WARM}")
    tokens: list[int] = []
    for token in _choices(script, list(prompt), options):
        if token is None:
            return Sampled(tuple(tokens), clear=False)
        if token == script.eos:
            break
        tokens.append(token)
    return Sampled(tuple(tokens), clear=True)


def _choices(script: Script, ids: list[int], options: Mapping[str, Json]) -> Iterator[int | None]:
    """Yield the tokens up to the maximum, None and nothing after it where a token is not clear."""
    for _ in range(options["maxTokens"]):
        draw = Draw(
            options["temperature"],
            options.get("topK", 0),
            options.get("topP", 1.0),
            options["seed"] % 2**64,
            len(ids),
        )
        choice = Choice(_logits(script, tuple(ids)), draw, GUARD)
        tokens = choice.tokens(len(ids))
        if len(tokens) != 1 or not choice.cut_clearly(GAP):
            yield None
            return
        (token,) = tokens
        yield token
        ids.append(token)
