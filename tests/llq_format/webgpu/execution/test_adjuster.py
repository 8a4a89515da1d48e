"""Adjusted choice on the WebGPU executor, compared with the reference's choice from the same logits."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

import llq_format
from llq_format.reference.adjusting import WORD_BITS, Adjustment, choose_adjusted
from llq_format.reference.generation import Choice, Sampling
from llq_format.webgpu.execution.executor import Executor
from llq_format.webgpu.execution.generation import generate
from tests.support.webgpu.executor_models import executor_of, tiny_package

pytestmark = pytest.mark.gpu

PROMPT = [7, 200, 31, 4, 4, 99, 150, 12, 255, 0, 63]
COUNT = 7


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[llq_format.Package]:
    """Open a small model in several shards."""
    with tiny_package(tmp_path_factory.mktemp("adjuster")) as opened:
        yield opened


@pytest.fixture(scope="module")
def executor(package: llq_format.Package) -> Executor:
    """Return an executor with chunks of 8."""
    return executor_of(package)


def mask_of(ids: Sequence[int], vocab_size: int) -> Any:
    """Return the mask that allows these ids alone."""
    words = np.zeros(-(-vocab_size // WORD_BITS), np.uint32)
    for token in ids:
        words[token // WORD_BITS] |= np.uint32(1 << token % WORD_BITS)
    return words


CHOICES = {
    "penalty": Choice(adjustment=Adjustment(1.5)),
    "bias": Choice(Sampling(1.5, seed=3), Adjustment(logit_bias={7: 2.5, 4: -3.0})),
    "min_p": Choice(Sampling(2.0, top_k=40, top_p=0.75, seed=5, min_p=0.25)),
    "mask": Choice(Sampling(1.0, seed=7), mask=lambda ids: mask_of(range(len(ids), 256, 3), 256)),
}


@pytest.mark.parametrize("name", CHOICES)
def test_tokens_are_those_of_the_reference_for_the_same_logits(executor: Executor, name: str) -> None:
    choice, seen = CHOICES[name], []
    reported = Choice(
        choice.sampling, choice.adjustment, choice.mask, lambda token, logits: seen.append((token, logits))
    )
    tokens = list(generate(executor, PROMPT, COUNT, (), reported))
    assert [token for token, _ in seen] == tokens
    for number, (token, logits) in enumerate(seen):
        output = tokens[:number]
        mask = choice.mask(output) if choice.mask else None
        expected = choose_adjusted(
            logits,
            choice.sampling,
            choice.adjustment,
            len(PROMPT) + number,
            sequence=[*PROMPT, *output],
            mask=mask,
        )
        assert token == expected
    assert list(generate(executor, PROMPT, COUNT, (), choice)) == tokens


def test_the_next_generation_is_not_adjusted(executor: Executor) -> None:
    before = list(generate(executor, PROMPT, COUNT))
    adjusted = list(generate(executor, PROMPT, COUNT, (), Choice(adjustment=Adjustment(100.0))))
    assert not set(adjusted) & set(PROMPT)
    assert len(set(adjusted)) == COUNT
    assert list(generate(executor, PROMPT, COUNT)) == before


def test_logits_are_reported_before_they_are_adjusted(
    package: llq_format.Package, executor: Executor
) -> None:
    seen: list[Any] = []
    choice = Choice(adjustment=Adjustment(3.0), on_logits=lambda token, logits: seen.append((token, logits)))
    tokens = list(generate(executor, PROMPT, 3, (), choice))
    other = executor_of(package)
    other.prefill(PROMPT)
    for number, (_, logits) in enumerate(seen):
        row = other.forward([tokens[number]])[-1] if number < len(seen) - 1 else None
        if row is not None:
            assert np.array_equal(seen[number + 1][1], row.astype(np.float64))
        assert logits.shape == (256,)
