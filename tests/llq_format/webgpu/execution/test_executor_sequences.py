"""Sequences on the WebGPU executor: chunks, tokens in flight, ends, and the state after an abort."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest

import llq_format
from llq_format.metadata.model import ContextError
from llq_format.reference import Decoder
from llq_format.reference.generation import Choice, Sampling
from llq_format.webgpu.execution.executor import Executor
from llq_format.webgpu.execution.generation import generate
from tests.support.webgpu.executor_models import CONTEXT, executor_of, tiny_package

pytestmark = pytest.mark.gpu

PROMPT = [7, 200, 31, 4, 4, 99, 150, 12, 255, 0, 63]
COUNT = 9


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[llq_format.Package]:
    """Open a small model in several shards."""
    with tiny_package(tmp_path_factory.mktemp("executor")) as opened:
        yield opened


@pytest.fixture(scope="module")
def executor(package: llq_format.Package) -> Executor:
    """Return an executor with chunks of 8."""
    return executor_of(package)


@pytest.fixture(scope="module")
def expected(package: llq_format.Package) -> list[int]:
    """Return what greedy choice makes of single forward passes of an executor."""
    executor, tokens = executor_of(package), list(PROMPT)
    logits = executor.forward(tokens)
    for _ in range(COUNT):
        tokens.append(int(logits[-1].argmax()))
        logits = executor.forward(tokens[-1:])
    return tokens[len(PROMPT) :]


def test_logits_are_the_reference_decoders(package: llq_format.Package, executor: Executor) -> None:
    executor.start()
    exact = Decoder(package).prefill(PROMPT)
    error = np.abs(executor.forward(PROMPT) - exact).max(axis=-1)
    assert error.max() < 0.05 * np.abs(exact).max()  # INT8 steps; the suite bounds it element by element
    assert error[0] > 0  # two computations, not one


def test_tokens_in_flight_are_those_of_single_steps(executor: Executor, expected: list[int]) -> None:
    assert list(generate(executor, PROMPT, COUNT)) == expected
    assert executor.position == len(PROMPT) + COUNT - 1


@pytest.mark.parametrize("chunk", [1, 2, 5, 10, 11, 32])
def test_chunks_of_any_size_give_the_same_tokens(
    package: llq_format.Package, expected: list[int], chunk: int
) -> None:
    assert list(generate(executor_of(package, chunk=chunk), PROMPT, COUNT)) == expected


@pytest.mark.parametrize("place", range(COUNT))
def test_an_end_token_ends_generation_wherever_it_is_in_the_flight(
    executor: Executor, expected: list[int], place: int
) -> None:
    end = expected[place]
    until = expected[: expected.index(end)]
    assert list(generate(executor, PROMPT, COUNT, (end,))) == until
    assert executor.position == len(PROMPT) + max(0, len(until) - 1)


@pytest.mark.parametrize("count", [0, 1, 3, 5])
def test_an_abort_leaves_the_position_and_spoils_nothing(
    executor: Executor, expected: list[int], count: int
) -> None:
    stream: Any = generate(executor, PROMPT, COUNT)
    assert list(islice(stream, count)) == expected[:count]
    stream.close()
    if count:
        assert executor.position == len(PROMPT) + count - 1
        # later tokens are computed as without the tokens ahead
        logits = executor.forward(expected[count - 1 : count])
        assert int(logits[-1].argmax()) == expected[count]
    assert list(generate(executor, PROMPT, COUNT)) == expected


def test_a_sequence_does_not_depend_on_the_previous_sequence(executor: Executor, expected: list[int]) -> None:
    second = list(generate(executor, PROMPT[::-1] * 2, 4))
    assert list(generate(executor, PROMPT, COUNT)) == expected
    assert list(generate(executor, PROMPT[::-1] * 2, 4)) == second


def test_generation_ends_where_the_context_does(executor: Executor) -> None:
    tokens = list(generate(executor, PROMPT, 1000))
    assert len(tokens) == CONTEXT - len(PROMPT) + 1  # the last is chosen and never computed
    assert executor.position == CONTEXT
    full = [1] * CONTEXT
    assert len(list(generate(executor, full, 5))) == 1


def test_nothing_fits_after_a_full_context(executor: Executor) -> None:
    executor.start()
    executor.prefill([1] * CONTEXT)
    with pytest.raises(ContextError, match=f"{CONTEXT + 1} positions do not fit into a context of {CONTEXT}"):
        executor.forward([1])
    with pytest.raises(ContextError):
        list(generate(executor, [1] * (CONTEXT + 1), 1))


@pytest.mark.parametrize("tokens", [[], [-1], [256], [1, 2, 1 << 40]])
def test_ids_outside_the_vocabulary_are_refused_before_anything_runs(
    executor: Executor, tokens: list[int]
) -> None:
    executor.start()
    with pytest.raises(ValueError, match="at least one token id, each 0 to 255"):
        executor.forward(tokens)
    assert executor.position == 0


@pytest.mark.parametrize("context", [0, -1, 65])
def test_a_context_larger_than_the_programs_is_refused(package: llq_format.Package, context: int) -> None:
    with pytest.raises(ContextError, match="this program supports 1 to 64"):
        executor_of(package, context=context)


def test_draws_repeat_with_their_seed_and_differ_without(executor: Executor) -> None:
    def drawn(seed: int) -> list[int]:
        return list(generate(executor, PROMPT, COUNT, (), Choice(Sampling(1.5, seed=seed))))

    assert drawn(3) == drawn(3)
    assert len({tuple(drawn(seed)) for seed in range(4)}) > 1


def test_top_k_of_one_is_greedy(executor: Executor, expected: list[int]) -> None:
    assert list(generate(executor, PROMPT, COUNT, (), Choice(Sampling(2.0, top_k=1, seed=5)))) == expected


def test_the_rotary_table_reaches_the_end_of_the_context(package: llq_format.Package) -> None:
    executor = executor_of(package, context=64)
    tokens = [(37 * n) % 256 for n in range(64)]
    exact = Decoder(package).prefill(tokens)[-1]
    assert np.abs(executor.forward(tokens)[-1] - exact).max() < 0.05 * np.abs(exact).max()
