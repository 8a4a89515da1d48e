"""Check `distribution`: next-token distributions are as near to the reference as those of legal executions.

A rank test: for each prompt, the Kullback-Leibler divergence of the runtime is ranked among those of legal
executions. A legal execution has each rank with the same probability, so the sum of its ranks over prompts
has a known distribution. Prompts of each length are a test, and all tests together have one error rate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.check import Failure
from ..core.runtime import Reals, Runtime
from ..core.vectors import Vector
from .failure_text import failure, not_finite

ERROR_RATE = 0.001
"""The probability that the check fails a legal execution, at most."""

NEGLIGIBLE = 2.0**-40
"""Divergence, in nats, up to which two distributions count as equal."""


@dataclass(frozen=True)
class RankTest:
    """The test of the prompts of one length.

    total: the sum of the runtime's ranks. probability: that of a legal execution whose sum is as large.
    """

    length: int
    prompts: int
    executions: int
    total: int
    probability: float

    def line(self) -> str:
        """Return a line about the test."""
        mean = self.prompts * (self.executions + 2) / 2
        return (
            f"  length     {self.prompts} prompts of length {self.length}: the ranks add up to {self.total} "
            f"(legal executions: {mean:g} on average), probability {self.probability:.2g}"
        )


def distribution(runtime: Runtime, vector: Vector, package: Path) -> Failure | None:
    """Compute each prompt in one step, and test the divergences of its last logits."""
    prompts = vector.members["prompts"]
    answers = [np.asarray(runtime.logits(package, tokens, [len(tokens)])) for tokens in prompts]
    expected = vector.array("expected")
    for tokens, answer in zip(prompts, answers, strict=True):
        if answer.shape != (len(tokens), expected.shape[1]):
            shape = f"  got        the shape {list(answer.shape)} for {len(tokens)} tokens"
            return failure(vector, "wrong shape", [shape])
    last = np.stack([answer[-1] for answer in answers])
    if finite := not_finite(last):
        return failure(vector, "NaN or infinity", [], certain=finite)
    legal = vector.array(f"legal_{runtime.info.kv_cache}")
    tests = rank_tests([len(tokens) for tokens in prompts], divergences(expected, last), legal)
    if all(passes(test, tests) for test in tests):
        return None
    lines = [
        *(test.line() for test in tests),
        f"  limit      a probability of {ERROR_RATE / len(tests):g} for each length",
        f"  KV cache   {runtime.info.kv_cache}, as declared",
    ]
    return failure(vector, "next-token distributions farther than those of legal executions", lines)


def divergences(exact: Reals, actual: Reals) -> Reals:
    """Return the Kullback-Leibler divergence of each row of logits from the exact one, in nats, [rows]."""
    log_p, log_q = _log_softmax(exact), _log_softmax(actual)
    divergence: Reals = (np.exp(log_p) * (log_p - log_q)).sum(axis=-1)
    return divergence


def rank_tests(lengths: Sequence[int], own: Reals, legal: Reals) -> list[RankTest]:
    """Return a test for each length of prompts.

    own: divergences of the runtime, [prompts]. legal: those of legal executions, [executions, prompts].
    """
    own, legal = (np.where(x > NEGLIGIBLE, x, 0.0) for x in (own, legal))
    ranks = 1 + (legal < own).sum(axis=0)  # equal divergences count in favour of the runtime
    tests = []
    for length in sorted(set(lengths)):
        chosen = ranks[np.array(lengths) == length]
        total, executions = int(chosen.sum()), len(legal)
        probability = probability_of_ranks(total, len(chosen), executions)
        tests.append(RankTest(length, len(chosen), executions, total, probability))
    return tests


def probability_of_ranks(total: int, prompts: int, executions: int) -> float:
    """Return the probability that independent, uniform ranks 1 to executions + 1 add up to total or more."""
    chances = np.ones(1)
    for _ in range(prompts):
        chances = np.convolve(chances, np.full(executions + 1, 1 / (executions + 1)))
    return float(chances[total - prompts :].sum())


def passes(test: RankTest, tests: Sequence[RankTest]) -> bool:
    """Return whether one of several tests passes; the tests share the error rate."""
    return test.probability >= ERROR_RATE / len(tests)


def _log_softmax(logits: Reals) -> Reals:
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    log_p: Reals = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return log_p
