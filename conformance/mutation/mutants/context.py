"""Mutants of long sequences (DEC-5, DEC-10, DEC-11): right as long as few positions are attended to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llq_format.reference import attention
from llq_format.reference.activations import Array

from .mutant import Mutant, add
from .seam import Seam


@dataclass(frozen=True)
class _Window:
    """Attention to the last positions alone."""

    size: int

    def __call__(self, seam: Seam) -> None:
        def mutate(attends: Callable[..., NDArray[np.bool_]]) -> Callable[..., NDArray[np.bool_]]:
            def near(queries: Array, keys: Array, chunk_size: int | None) -> NDArray[np.bool_]:
                back = queries[:, None] - keys[None, :]
                return np.asarray(attends(queries, keys, chunk_size) & (back < self.size))

            return near

        seam.wrap(attention, "attends", mutate)


@dataclass(frozen=True)
class _PartialSoftmax:
    """A running softmax over groups of positions, whose earlier groups keep an outdated maximum."""

    size: int

    def __call__(self, seam: Seam) -> None:
        def softmax(scores: Array) -> Array:
            count = scores.shape[-1]
            groups = np.arange(count) // self.size
            maxima = np.maximum.reduceat(scores, np.arange(0, count, self.size), axis=-1)
            running = np.maximum.accumulate(maxima, axis=-1)[..., groups]
            gaps = np.where(np.isneginf(scores), scores, scores - running)
            weights = np.exp(gaps)
            return np.asarray(weights / weights.sum(axis=-1, keepdims=True))

        seam.wrap(attention, "softmax", lambda _softmax: softmax)


@dataclass(frozen=True)
class _Modulo:
    """RoPE of positions that wrap."""

    size: int

    def __call__(self, seam: Seam) -> None:
        def mutate(positioned: Callable[..., Any]) -> Callable[..., Any]:
            def wrapped(model: Any, config: Any, q: Array, k: Array, **members: Any) -> Any:
                if config.rope:
                    members["positions"] = members["positions"] % self.size
                return positioned(model, config, q, k, **members)

            return wrapped

        seam.wrap(attention, "positioned", mutate)


for _size in (16, 32, 64, 256):
    add(
        Mutant(
            f"attention-to-the-last-{_size}",
            f"attention to the last {_size} positions alone",
            "LLQ-DEC-10",
            ("logits",),
            _Window(_size),
        )
    )
for _size in (16, 64, 256):
    add(
        Mutant(
            f"partial-softmax-of-{_size}-not-rescaled",
            f"partial softmaxes of {_size} positions not rescaled to the largest score",
            "LLQ-DEC-11",
            ("logits",),
            _PartialSoftmax(_size),
        )
    )
for _size in (64, 1024):
    add(
        Mutant(
            f"rope-positions-modulo-{_size}",
            f"RoPE of positions modulo {_size}",
            "LLQ-DEC-5",
            ("logits",),
            _Modulo(_size),
        )
    )
