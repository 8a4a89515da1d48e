"""Choice by the reference from adjusted logits, and log-probabilities (section Adjusted choice)."""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from llq_format.reference.adjusting import Adjustment, choose_adjusted
from llq_format.reference.log_probabilities import log_probabilities, token_logprob
from llq_format.reference.sampling import Sampling, uniform

LOGITS = (1.0, 3.0, -2.0, 3.0, -1.0, 0.5, 0.0, 2.0)
SEQUENCE = (1, 4, 1, 6)
BIASES = {0: 1.5, 2: 4.0, 4: -0.5, 7: -1.0}


def by_the_letter(
    logits: Sequence[float], sampling: Sampling, adjustment: Adjustment, u: Fraction, mask: int
) -> int:
    """Return the result of the steps of GEN-11 and GEN-6, one after another."""
    z = {}
    for i, logit in enumerate(logits):
        if mask >> i & 1:
            z[i] = Fraction(logit) + Fraction(adjustment.logit_bias.get(i, 0.0))
            if i in SEQUENCE:
                penalty = Fraction(adjustment.repetition_penalty)
                z[i] = z[i] / penalty if z[i] > 0 else z[i] * penalty
    ranked = sorted(z, key=lambda i: (-z[i], i))[: sampling.top_k or None]
    w = {i: math.exp((z[i] - z[ranked[0]]) / Fraction(sampling.temperature)) for i in ranked}
    if sampling.top_p < 1:
        whole, count = sum(w.values()), 1
        while sum(w[i] for i in ranked[:count]) < sampling.top_p * whole:
            count += 1
        ranked = ranked[:count]
    ranked = [i for i in ranked if w[i] >= sampling.min_p or i == ranked[0]]
    aim, total = u * Fraction(sum(w[i] for i in ranked)), Fraction(0)
    for i in sorted(ranked):
        total += Fraction(w[i])
        if total > aim:
            return i
    return max(ranked)


@pytest.mark.parametrize("min_p", [0.0, 0.125, 0.5, 1.0])
@pytest.mark.parametrize("penalty", [1.0, 1.25, 0.5])
@pytest.mark.parametrize("mask", [0b11111111, 0b10110101])
@pytest.mark.parametrize(("top_k", "top_p"), [(None, 1.0), (4, 0.75), (None, 0.5)])
def test_the_steps_are_those_of_the_chapter(
    min_p: float, penalty: float, mask: int, top_k: int | None, top_p: float
) -> None:
    adjustment = Adjustment(penalty, BIASES)
    for seed in range(25):
        sampling = Sampling(1.5, top_k, top_p, seed, min_p)
        expected = by_the_letter(LOGITS, sampling, adjustment, Fraction(uniform(seed, 9)), mask)
        words = np.array([mask], np.uint32)
        token = choose_adjusted(np.array(LOGITS), sampling, adjustment, 9, sequence=SEQUENCE, mask=words)
        assert token == expected


def test_greedy_choice_is_of_adjusted_logits() -> None:
    logits = np.array(LOGITS)

    def greedy(adjustment: Adjustment, mask: Any = None) -> int:
        return choose_adjusted(logits, Sampling(), adjustment, 0, sequence=(1,), mask=mask)

    assert greedy(Adjustment()) == 1
    assert greedy(Adjustment(2.0)) == 3
    assert greedy(Adjustment(logit_bias={2: 6.0})) == 2
    assert greedy(Adjustment(), np.array([0b10000001], np.uint32)) == 7


@pytest.mark.parametrize(
    ("penalty", "biases"),
    [(0.0, {}), (-1.0, {}), (1e-46, {}), (math.inf, {}), (math.nan, {}), (1.0, {0: 1e39}), (1.0, {-1: 1.0})],
)
def test_an_adjustment_out_of_range_is_refused(penalty: float, biases: dict[int, float]) -> None:
    with pytest.raises(ValueError, match=r"repetition_penalty|logit_bias"):
        Adjustment(penalty, biases)


@pytest.mark.parametrize("min_p", [-0.1, 1.1, math.nan])
def test_a_min_p_out_of_range_is_refused(min_p: float) -> None:
    with pytest.raises(ValueError, match="min_p"):
        Sampling(1.0, min_p=min_p)


@pytest.mark.parametrize("words", [[], [0], [0xFF00], [1, 1]])
def test_a_mask_that_allows_nothing_or_is_of_another_length_is_refused(words: list[int]) -> None:
    mask = np.array(words, np.uint32)
    with pytest.raises(ValueError, match="a mask"):
        choose_adjusted(np.array(LOGITS), Sampling(), Adjustment(), 0, sequence=(0,), mask=mask)


def test_a_bias_of_an_id_that_the_vocabulary_lacks_is_refused() -> None:
    with pytest.raises(ValueError, match="id 8"):
        choose_adjusted(np.array(LOGITS), Sampling(), Adjustment(logit_bias={8: 1.0}), 0, sequence=(0,))


def test_log_probabilities_are_those_of_a_softmax() -> None:
    shares = np.array([0.5, 0.25, 0.125, 0.125])
    values = log_probabilities(np.log(shares) + 700.0)
    assert np.allclose(values, np.log(shares), atol=1e-12)
    report = token_logprob(np.log(shares), 3, 3)
    assert [token for token, _ in report.top] == [0, 1, 2]
    assert report.to_json()["logprob"] == pytest.approx(math.log(0.125))
    assert len(token_logprob(np.log(shares), 0, 9).top) == 4
