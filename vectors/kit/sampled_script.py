"""Sampled answers of a script, where no legal rounding of logits decides a token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

from vectors.kit.decoder import Decoder, Weights
from vectors.kit.disturbance import Exact
from vectors.kit.sampling import Choice, Draw
from vectors.kit.script import Script

Json = Any
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
