"""Sampled choice step by step (GEN-6), so that mutants and conforming variants can replace a step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from llq_format.reference import sampling
from llq_format.reference.activations import Array
from llq_format.reference.sampling import Sampling

from .seam import Seam

Choose = Callable[[Array, Sampling, int], int]


def _same(value: Any) -> Any:
    return value


def _rank(logits: Array) -> Any:
    return np.argsort(-logits, kind="stable")


@dataclass(frozen=True)
class Steps:
    """The steps of GEN-6 above the coldest temperature; each default is the right step.

    rank: the ids of logits [vocab_size], the maximum first. largest: what is subtracted, from the maximum.
    weigh: the weights that are used, from the exact ones. sums: cumulative sums of weights.
    top_p, u: the number that is used, from the exact one. top_p_temperature: the temperature of the weights
    that top_p is compared with. share_of_all: whether top_p is a share of all weights. count: how many ids
    top_p keeps, from the right number. order: the indices of the kept ids, in the order of their sum.
    """

    rank: Callable[[Array], Any] = _rank
    largest: Callable[[float], float] = _same
    weigh: Callable[[Array], Array] = _same
    sums: Callable[[Array], Array] = np.cumsum
    top_p: Callable[[float], float] = _same
    u: Callable[[float], float] = _same
    top_p_temperature: Callable[[float], float] = _same
    share_of_all: bool = False
    count: Callable[[int], int] = _same
    order: Callable[[Any], Any] = np.argsort

    def __call__(self, logits: Array, parameters: Sampling, position: int) -> int:
        """Return the token of a position."""
        temperature = float(np.float32(parameters.temperature))
        everything = self.rank(logits)
        ranked = self._kept(logits, parameters, everything, temperature)
        ranked = ranked[self.order(ranked)]
        sums = self.sums(self._weights(logits, ranked, temperature))
        u = self.u(sampling.uniform(parameters.seed, position))
        reached = int(np.searchsorted(sums, u * sums[-1], side="right"))
        return int(ranked[min(reached, len(ranked) - 1)])

    def _kept(self, logits: Array, parameters: Sampling, everything: Any, temperature: float) -> Any:
        """Return the ids that top_k and top_p keep, in the order of the ranking."""
        ranked = everything[: parameters.top_k or None]
        top_p = float(np.float32(parameters.top_p))
        if top_p >= 1:
            return ranked
        temperature = self.top_p_temperature(temperature)
        sums = self.sums(self._weights(logits, ranked, temperature))
        total = self._weights(logits, everything, temperature).sum() if self.share_of_all else sums[-1]
        return ranked[: max(self.count(int(np.searchsorted(sums, self.top_p(top_p) * total)) + 1), 1)]

    def _weights(self, logits: Array, ids: Any, temperature: float) -> Array:
        return self.weigh(np.exp((logits[ids] - self.largest(float(logits.max()))) / temperature))


def choose(seam: Seam, mutate: Callable[[Choose], Choose]) -> None:
    """Choose in another way, made of the right one."""
    seam.wrap(sampling, "choose", mutate)


def replace_steps(seam: Seam, **steps: Any) -> None:
    """Choose with other steps; a temperature below the coldest one stays greedy."""
    others = Steps(**steps)

    def mutate(original: Choose) -> Choose:
        def call(logits: Array, parameters: Sampling, position: int) -> int:
            greedy = float(np.float32(parameters.temperature)) < sampling.COLDEST
            return (original if greedy else others)(logits, parameters, position)

        return call

    choose(seam, mutate)
