"""What the executor keeps of earlier sequences, bit for bit, and sessions that keep all that was computed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

import llq_format
from llq_format.metadata.model import FFN, Attention, ContextError, Layer, MoE, Temperature
from llq_format.synth import GEOMETRIES, synth
from llq_format.webgpu.execution.cache_record import CacheRecord
from llq_format.webgpu.execution.executor import Executor
from llq_format.webgpu.execution.generation import generate
from llq_format.webgpu.execution.session import Session
from tests.support.webgpu.executor_models import CONTEXT, executor_of, new_device, tiny_package

pytestmark = pytest.mark.gpu

CHUNK = 8
FIRST = [7, 200, 31, 4, 4, 99, 150, 12, 255, 0, 63, 8, 17, 90, 3, 3, 41, 5, 77]
ANSWER = 5

TINY = GEOMETRIES["tiny"]
CHUNKED = Attention(rope=True, qk_norm=True, chunk_size=5, temperature=None)
WITHOUT_ROPE = Attention(rope=False, qk_norm=False, chunk_size=None, temperature=Temperature(0.5, 3))
DENSE = FFN("silu", gated=True, intermediate_size=96, moe=None)
MIXED = replace(
    TINY,
    rope_pairing="interleaved",
    layers=(Layer(CHUNKED, replace(DENSE, moe=MoE(3, 64))), Layer(WITHOUT_ROPE, DENSE)),
    fp16_layers=1,
)


@pytest.fixture(scope="module", params=["dense", "experts, chunked attention and a layer without RoPE"])
def package(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[llq_format.Package]:
    directory: Path = tmp_path_factory.mktemp("sessions")
    if request.param == "dense":
        opened = tiny_package(directory)
    else:
        synth(MIXED, directory / "mixed")
        opened = llq_format.open(directory / "mixed")
    with opened:
        yield opened


def bits(executor: Executor, positions: int) -> list[bytes]:
    """Return the logits, and the keys and values of the first positions."""
    buffers = executor.program.buffers
    caches = {name: b.bytes_per_position for name, b in buffers.items() if b.purpose == "kv_cache"}
    sizes = {"logits": buffers["logits"].bytes, **{name: size * positions for name, size in caches.items()}}
    return [executor.read(name, size // 4).tobytes() for name, size in sizes.items()]


def after(executor: Executor, ids: Sequence[int], *, exact: bool = True) -> list[bytes]:
    """Return the bits that a prompt leaves, before the second token of its answer."""
    list(generate(executor, ids, 1, exact=exact))
    return bits(executor, len(ids))


PROMPTS = {
    "the same prompt": (FIRST, 16),
    "prompt, answer and more": (None, 16),
    "another first id": ([1, *FIRST[1:]], 0),
    "an id less than a chunk": ([*FIRST[:7], 1, 1, 1], 0),
    "a chunk": ([*FIRST[:8], 1, 1], 8),
    "a prompt of two chunks": (FIRST[:16], 8),
    "a prompt of two chunks and an id": (FIRST[:17], 16),
}


def test_whole_chunks_are_kept_and_results_are_equal_bit_for_bit(package: llq_format.Package) -> None:
    executor, fresh = executor_of(package, chunk=CHUNK), executor_of(package, chunk=CHUNK)
    for case, (given, kept) in PROMPTS.items():
        executor.start()
        answer = list(generate(executor, FIRST, ANSWER))
        ids = given or [*FIRST, *answer, 1, 2]
        assert len(ids) - len(executor.resume(ids)) == kept, case
        fresh.start()
        assert after(executor, ids) == after(fresh, ids), case
        fresh.start()
        assert list(generate(executor, ids, ANSWER)) == list(generate(fresh, ids, ANSWER)), case


@pytest.mark.parametrize("package", ["dense"], indirect=True)
def test_a_difference_of_bits_is_seen(package: llq_format.Package) -> None:
    executor, fresh = executor_of(package, chunk=CHUNK), executor_of(package, chunk=CHUNK)
    ids = [*FIRST, *generate(executor, FIRST, ANSWER), 1]
    assert after(executor, ids, exact=False) != after(fresh, ids)


def test_a_session_computes_only_what_is_new(package: llq_format.Package) -> None:
    session = Session(lambda: executor_of(package, chunk=CHUNK))
    answer = list(session.generate(FIRST, ANSWER))
    assert session.length == len(FIRST) + ANSWER
    ids = [*FIRST, *answer, 1, 2]
    assert list(session.executor.resume(ids, exact=False)) == [answer[-1], 1, 2]
    assert list(islice(session.generate(ids, 3), 1))  # left early: the sequence stays
    assert session.length == len(FIRST) + ANSWER
    assert len(list(session.generate(None, 2))) == 2
    assert session.length == len(FIRST) + ANSWER + 2


def test_sequences_are_appended_to_truncated_and_forked(package: llq_format.Package) -> None:
    session = Session(lambda: executor_of(package, chunk=CHUNK))
    with pytest.raises(ValueError, match="at least one token id"):
        list(session.generate(None, 1))
    session.append(FIRST[:10])
    session.append([])
    session.append(FIRST[10:])
    assert session.length == session.executor.position == len(FIRST)
    fork = session.fork()
    assert bits(fork.executor, len(FIRST)) == bits(session.executor, len(FIRST))
    answer = list(session.generate(None, ANSWER))
    fork.truncate(3)
    fork.append([9, 9, 9])
    session.truncate(len(FIRST))
    assert list(session.generate(None, ANSWER)) == answer  # the fork has memory of its own
    fork.dispose()
    fork.dispose()
    calls: list[Callable[[], object]] = [
        lambda: fork.append([1]),
        lambda: fork.truncate(0),
        fork.fork,
        lambda: list(fork.generate(None, 1)),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="disposed of"):
            call()
    with pytest.raises(ValueError, match="expected 0 to"):
        session.truncate(session.length + 1)
    with pytest.raises(ContextError):
        session.append([1] * CONTEXT)
    assert session.length == len(FIRST) + ANSWER


def test_a_session_survives_a_loss_of_its_device(package: llq_format.Package) -> None:
    undisturbed = list(generate(executor_of(package, chunk=CHUNK), FIRST, ANSWER))
    session = Session(lambda: executor_of(package, chunk=CHUNK, device=new_device()))
    session.append(FIRST)
    session.executor.device.gpu.destroy()
    assert list(session.generate(None, ANSWER)) == undisturbed
    assert session.losses == 1


def test_a_record_keeps_what_a_new_computation_would_compute_alike() -> None:
    record = CacheRecord()
    for chunk in ([0, 1, 2, 3], [4, 5]):
        record.add_chunk(chunk)
    record.add([6])
    assert [record.common_chunks(range(n), 4) for n in (0, 1, 4, 5, 6, 7, 9)] == [0, 0, 0, 4, 4, 4, 4]
    assert [record.common(range(n)) for n in (0, 1, 5, 7, 8, 9)] == [0, 0, 4, 6, 7, 7]
    record.cut(5)
    record.add_chunk([5, 6, 7])
    assert (len(record), record.common_chunks(range(20), 4)) == (8, 4)
