"""Find prompts that keep a margin at every rounding boundary and every tie: those in `cases` were."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

from vectors.kit.decoder import Decoder, Weights
from vectors.kit.disturbance import Exact
from vectors.kit.noise import noise
from vectors.kit.sequences import Subject


class TooCloseError(Exception):
    """A decision is closer to another one than it may be."""


class Strict(Exact):
    """The exact execution, which gives up where a margin is not kept."""

    def __init__(self, int8_margin: float, router_margin: float) -> None:
        super().__init__()
        self.least = int8_margin, router_margin

    def code(self, exact: float) -> int:
        """Round, and see whether the distance is kept."""
        code = super().code(exact)
        if self.int8_margin < self.least[0]:
            raise TooCloseError
        return code

    def expert(self, values: Sequence[float]) -> int:
        """Choose, and see whether the distance is kept."""
        chosen = super().expert(values)
        if self.router_margin < self.least[1]:
            raise TooCloseError
        return chosen


def after(decoder: Decoder, token: int) -> Decoder:
    """Return a decoder that has gone one step further."""
    further = copy.copy(decoder)
    further.keys = [list(keys) for keys in decoder.keys]
    further.values = [list(values) for values in decoder.values]
    further.execution = copy.copy(decoder.execution)
    further.step(token)
    return further


def prompt(subject: Subject, length: int, int8_margin: float, router_margin: float = 0.0) -> list[int]:
    """Return a prompt of a length, each token the first of a random order that keeps the margins."""
    vocab = subject.model["vocab_size"]

    def extensions(decoder: Decoder, position: int) -> Iterator[tuple[int, Decoder]]:
        for token in sorted(range(vocab), key=lambda token: noise(position, token)):
            try:
                yield token, after(decoder, token)
            except TooCloseError:
                continue

    decoder = Decoder(subject.model, Weights(subject.tensors()), Strict(int8_margin, router_margin))
    tokens: list[int] = []
    for position in range(length):
        token, decoder = next(extensions(decoder, position))
        tokens.append(token)
    return tokens
