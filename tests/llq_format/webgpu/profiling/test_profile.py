"""Profiles: measurements add up, faulty clocks are noticed, everything has its label."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from wgpu.backends.wgpu_native import ffi, lib

from llq_format.format.layout import BLOCK, ceil_div, is_int4
from llq_format.metadata.model import ContextError, MoE
from llq_format.synth import GEOMETRIES, synth
from llq_format.webgpu.execution.device_errors import DeviceLostError
from llq_format.webgpu.execution.executor import Executor
from llq_format.webgpu.execution.generation import generate
from llq_format.webgpu.planning.planner import plan
from llq_format.webgpu.planning.workload import occupancy, operation_of, work
from llq_format.webgpu.profiling import stopwatch
from llq_format.webgpu.profiling.clock import Clock, Step
from llq_format.webgpu.profiling.profile import made_up_prompt, profile
from llq_format.webgpu.profiling.report import check
from llq_format.webgpu.profiling.stopwatch import Span, Stopwatch, elapsed, quantum, typical
from tests.support.webgpu.profiles import PROMPT, REPETITIONS, TOKENS, measured, profiled, tiny_executor

pytestmark = pytest.mark.gpu

PHASES = ("decode", "prefill")


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with tiny_executor() as executor:
        yield executor


def test_it_has_the_members_of_the_article_and_satisfies_the_schema() -> None:
    value = measured()
    assert check(value) == []
    assert len(value["block_times_ms"]) == 2
    assert all(time > 0 for time in value["block_times_ms"])
    assert value["memory_usage_mb"] == round(sum(value["memory_bytes"].values()) / 1e6, 3)
    assert 0 < value["workgroup_occupancy"] < 1
    assert "estimate" in value["occupancy"]["of"]
    assert value["timing"]["method"] == "timestamp-query"
    assert (value["prefill"]["tokens"], value["prefill"]["repetitions"]) == (PROMPT, REPETITIONS)
    assert (value["decode"]["tokens"], value["decode"]["first_position"]) == (TOKENS, PROMPT)


@pytest.mark.parametrize("phase", PHASES)
def test_totals_are_those_of_the_dispatches(phase: str) -> None:
    value = measured()[phase]
    for totals in (value["operations"], value["entry_points"]):
        assert sum(row["dispatches"] for row in totals) == value["dispatches"]
        assert sum(row["ms"] for row in totals) == pytest.approx(value["dispatches_ms"], abs=1e-4)
        assert sum(row["share"] for row in totals) == pytest.approx(1, abs=1e-4)
        assert sum(row["weight_bytes"] for row in totals) == pytest.approx(
            value["weight_bytes"], abs=len(totals)
        )
        assert [row["ms"] for row in totals] == sorted((row["ms"] for row in totals), reverse=True)
    host = value["host_ms"]
    assert host["encode"] + host["submit"] + host["wait"] <= 1.5 * host["wall"]
    assert set(value["other_times_ms"]) == {"embedding", "head", *(["choice"] if phase == "decode" else [])}


@pytest.mark.parametrize("phase", PHASES)
def test_the_timeline_is_one_run_in_order(phase: str, executor: Executor) -> None:
    events = measured()[phase]["timeline"]
    passes = [("decode", "greedy")] if phase == "decode" else [("prefill",), ("prefill", "last")]
    labels = [dispatch.label for run in passes for name in run for dispatch in executor.program.passes[name]]
    assert [event["label"] for event in events] == labels
    assert events[0]["start_ms"] == 0
    starts = [event["start_ms"] for event in events]
    assert starts == sorted(starts)
    for before, after in pairwise(events):
        assert before["start_ms"] + before["duration_ms"] <= after["start_ms"] + 1e-3


def test_weights_of_a_token_are_all_weights_and_one_row_of_the_embedding(executor: Executor) -> None:
    assert executor.metadata is not None
    expected = 0
    for tensor in executor.metadata.tensors:
        if is_int4(tensor.dtype):
            blocks = ceil_div(tensor.rows, BLOCK) * ceil_div(tensor.cols, BLOCK)
            expected += blocks * (2048 + 2 + (tensor.dtype == "int4_affine"))
        elif tensor.name == "embedding":
            expected += tensor.cols * 2
        elif tensor.name != "rope.inv_freq":
            expected += tensor.rows * tensor.cols * {"f16": 2, "f32": 4}[tensor.dtype]
    works = work(executor.program, ("decode", "greedy"), 1)
    padding = sum(16 for work in works if "norm" in work.operation)  # raw ranges are whole in 16 bytes
    assert expected <= sum(work.weight_bytes for work in works) <= expected + padding


def test_of_a_mixture_the_weights_of_one_expert_count() -> None:
    model = GEOMETRIES["tiny"]
    layer = replace(model.layers[0], ffn=replace(model.layers[0].ffn, moe=MoE(4, 64)))
    sized = replace(model, layers=(layer, layer))
    with TemporaryDirectory() as folder:
        metadata = synth(sized.to_json(), Path(folder) / "package")
    works = work(plan(metadata), ("decode",), 1)
    gate_up = [work.weight_bytes for work in works if work.operation == "ffn.experts.gate_up"]
    blocks = ceil_div(2 * layer.ffn.intermediate_size, BLOCK) * ceil_div(model.hidden_size, BLOCK)
    assert gate_up == [blocks * 2051 / 4] * 8


@pytest.mark.parametrize(
    ("label", "operation"),
    [
        ("layers.3.attention.qkv", "attention.qkv"),
        ("layers.3.ffn.experts.12.gate_up", "ffn.experts.gate_up"),
        ("layers.3.ffn.experts.activate", "ffn.experts.activate"),
        ("embedding+4096.product", "embedding.product"),
        ("lm_head+128", "lm_head"),
    ],
)
def test_operations_are_labels_without_numbers(label: str, operation: str) -> None:
    assert operation_of(label) == operation


def test_occupancy_weighs_dispatches_by_their_time(executor: Executor) -> None:
    works = work(executor.program, ("greedy",), 1)  # 64 workgroups, then 1
    assert occupancy(works, [1, 0]) == 64 / 256
    assert occupancy(works, [1, 1]) == 65 / 512
    assert occupancy(works, [5, None]) == 65 / 512


def test_a_profile_leaves_the_executor_as_good_as_new(executor: Executor) -> None:
    prompt = made_up_prompt(executor, PROMPT)
    before = list(generate(executor, prompt, TOKENS))
    messages: list[str] = []
    profiled(executor, progress=messages.append)
    assert list(generate(executor, prompt, TOKENS)) == before
    assert messages[0] == "warming up"


def test_what_cannot_be_profiled_is_refused(executor: Executor) -> None:
    with pytest.raises(ContextError, match="33 positions do not fit"):
        profile(executor, made_up_prompt(executor, 30), 3)
    with pytest.raises(ValueError, match="at least one token"):
        profile(executor, made_up_prompt(executor, 3), 0)


def test_a_device_that_is_lost_midway_is_reported() -> None:
    with tiny_executor() as doomed:

        def lose(step: str) -> None:
            if step.startswith("prefill"):
                doomed.device.gpu.destroy()

        with pytest.raises(DeviceLostError, match="was lost"):
            profiled(doomed, progress=lose)


def test_without_timestamps_layers_are_timed_by_the_wall_clock(executor: Executor) -> None:
    value = profiled(executor, timestamps=False)
    assert check(value) == []
    assert value["timing"]["method"] == "wall-clock"
    assert "submitted alone" in value["timing"]["description"]
    assert len(value["block_times_ms"]) == 2
    assert all(time >= 0 for time in value["block_times_ms"])
    assert sum(value["block_times_ms"]) > 0
    assert value["decode"]["gpu_ms"] is None
    assert value["decode"]["dispatches_ms"] is None
    assert value["decode"]["timeline"] == []
    assert {row["ms"] for row in value["decode"]["operations"]} == {None}


def _distorted(monkeypatch: pytest.MonkeyPatch, change: Callable[[Span], Span]) -> None:
    original = Stopwatch.read
    monkeypatch.setattr(Stopwatch, "read", lambda self: [change(span) for span in original(self)])


def test_constant_timestamps_are_rejected(executor: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    _distorted(monkeypatch, lambda _: Span(0, 0))
    assert profiled(executor)["timing"]["method"] == "wall-clock"


def test_means_are_reported_for_a_rounded_clock(executor: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    tick = stopwatch.tick_ns(executor.device)
    step = round(100_000 / tick)
    _distorted(monkeypatch, lambda span: Span(span.begin // step * step, span.end // step * step))
    timing = profiled(executor)["timing"]
    if timing["method"] == "timestamp-query":  # of a fast device nothing but zeros would be left
        assert timing["statistic"] == "mean"
        assert timing["quantum_ns"] % 100_000 == 0


def test_timestamps_that_run_backwards_are_discarded(
    executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 0

    def every_seventh(span: Span) -> Span:
        nonlocal count
        count += 1
        return Span(1 << 60, 1) if count % 7 == 0 else span

    _distorted(monkeypatch, every_seventh)
    value = profiled(executor)
    assert check(value) == []
    assert value["timing"]["discarded"] > 0
    assert len(value["decode"]["timeline"]) < value["decode"]["dispatches"]


def test_more_passes_than_a_query_set_holds(executor: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopwatch, "QUERIES_PER_SET", 32)
    clock = Clock(executor, timestamps=True)
    executor.write("state", np.array([0, 1], np.uint32))
    run = clock.measure([Step(("decode",), 1)], "dispatch")
    assert len(run.durations) == len(executor.program.passes["decode"]) > 16
    assert all(time is not None and time >= 0 for time in run.durations)
    starts = [start for start in run.starts if start is not None]
    assert starts == sorted(starts)
    assert len(starts) == len(run.starts)


@pytest.mark.parametrize(
    ("begin", "end", "ticks"),
    [
        (100, 150, 50),
        (0, 0, 0),
        ((1 << 32) - 10, 20, 30),  # a counter of 32 bits began again
        ((1 << 36) - 10, 20, 30),
        ((1 << 56) - 1, 0, 1),
        (0, 2000, None),  # longer than the submission took
        (5000, 10, None),  # backwards
        ((1 << 32) - 5000, 20, None),
    ],
)
def test_elapsed_ticks(begin: int, end: int, ticks: int | None) -> None:
    assert elapsed(begin, end, 1000) == ticks


def test_the_step_of_a_clock() -> None:
    assert quantum([Span(700, 900), Span(1100, 1300)]) == 200
    assert quantum([Span(700, 900)], divisor=30) == 10
    assert quantum([Span(5, 5)]) == 0


def test_typical_times() -> None:
    assert typical([1, None, 2, 9], rounded=False) == 2
    assert typical([0, None, 0, 3], rounded=True) == 1
    assert typical([None], rounded=False) is None
    assert math.isclose(typical([0.1, 0.2], rounded=False) or 0, 0.15)


class _Recorder:
    """wgpu-native's functions, with a note of debug groups."""

    def __init__(self, lib: Any) -> None:
        self._lib = lib
        self.events: list[str] = []

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._lib, name)
        if not name.endswith("DebugGroup"):
            return function

        def noted(encoder: Any, *view: Any) -> None:
            self.events.append(ffi.string(view[0].data, view[0].length).decode() if view else "end")
            function(encoder, *view)

        return noted


def test_everything_has_a_label_of_the_program(executor: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = _Recorder(lib)
    monkeypatch.setattr("llq_format.webgpu.execution.encoding.lib", recorder)
    profile_passes: list[str] = []
    clock = Clock(executor, timestamps=executor.device.timestamps)
    step = Step(("decode",), 1)
    encoder = executor.device.gpu.create_command_encoder()
    begin = type(encoder).begin_compute_pass

    def noted(self: Any, **options: Any) -> Any:
        profile_passes.append(options["label"])
        return begin(self, **options)

    monkeypatch.setattr(type(encoder), "begin_compute_pass", noted)
    clock.in_flight([step])
    groups = ["embedding", "layers.0", "layers.1", "head"]
    assert recorder.events == [event for group in groups for event in (group, "end")]
    assert profile_passes == ["decode"]
    for prepared in executor.prepared("decode"):
        assert prepared.pipeline.label == prepared.dispatch.entry_point
        assert prepared.bindings.label == prepared.dispatch.label
        assert prepared.parameters.label == f"parameters {prepared.dispatch.parameters}"
        for name in prepared.dispatch.bindings:
            if name in executor.program.buffers:
                assert executor.resource(name).label == name
    profile_passes.clear()
    clock.measure([step], "group")
    assert profile_passes == groups
