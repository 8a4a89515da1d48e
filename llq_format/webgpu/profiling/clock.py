"""Times of a program's passes: in total, per layer or per dispatch; and the times of the host."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from llq_format.webgpu.execution.encoding import Prepared, encode
from llq_format.webgpu.execution.executor import Executor
from llq_format.webgpu.planning.workload import work
from llq_format.webgpu.profiling.stopwatch import Span, Stopwatch, elapsed, quantum, tick_ns, typical

Cut = Literal["whole", "group", "dispatch"]
"""Slices of a run: one compute pass for all, for each group of `workload`, or each dispatch."""

ROUNDED_NS = 10_000
"""Minimum step of a clock that counts as rounded: the duration of a fast dispatch."""

_SLACK_MS = 1.0
_EMPTY_RUNS = 9


@dataclass(frozen=True, slots=True)
class Step:
    """A run: its passes, the tokens of its chunk, and the data written to buffers before it."""

    passes: tuple[str, ...]
    tokens: int
    writes: tuple[tuple[str, NDArray[Any]], ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: start (relative to the first pass) and duration of each slice, in ms; None if unknown."""

    starts: Sequence[float | None]
    durations: Sequence[float | None]


class Clock:
    """A clock for one executor, which records the precision of the device's clock."""

    def __init__(self, executor: Executor, *, timestamps: bool) -> None:
        """Prepare the clock; timestamps: use timestamp queries, which the device must support."""
        self._executor = executor
        self.timestamps = timestamps
        self.tick_ns = tick_ns(executor.device) if timestamps else None
        self.discarded = 0
        self._quantum = 0
        self._stopwatches: dict[int, Stopwatch] = {}
        self._slices: dict[tuple[Step, Cut], list[tuple[str, list[Prepared]]]] = {}
        self.empty_ms = statistics.median(self._empty() for _ in range(_EMPTY_RUNS))

    @property
    def cuts(self) -> tuple[Cut, ...]:
        """The available slices."""
        return ("whole", "group", "dispatch") if self.timestamps else ("group",)

    @property
    def quantum_ns(self) -> float | None:
        """The common step of all timestamps so far, or None without timestamps."""
        return self._quantum * self.tick_ns if self.tick_ns is not None and self._quantum else None

    @property
    def rounded(self) -> bool:
        """Return whether timestamps are rounded to coarse steps, as browsers do."""
        return (self.quantum_ns or 0) >= ROUNDED_NS

    def trust(self, step: Step, attempts: int = 3) -> None:
        """Disable timestamps if a complete step takes no time: some drivers return zeros."""
        if self.timestamps:
            runs = [self.measure([step], "whole") for _ in range(attempts)]
            self.timestamps = any(sum(time or 0 for time in run.durations) > 0 for run in runs)

    def alone(self, steps: Sequence[Step]) -> dict[str, float]:
        """Run and wait, with nothing else in flight; return ms by activity of the host."""
        host_ms = {"encode": 0.0, "submit": 0.0}
        begin = time.perf_counter()
        for step in steps:
            self._write(step)
            start = time.perf_counter()
            commands = self._encoded(step)
            encoded = time.perf_counter()
            self._executor.device.gpu.queue.submit([commands])
            host_ms["submit"] += 1000 * (time.perf_counter() - encoded)
            host_ms["encode"] += 1000 * (encoded - start)
        waiting = time.perf_counter()
        self._wait()
        end = time.perf_counter()
        return {**host_ms, "wait": 1000 * (end - waiting), "wall": 1000 * (end - begin)}

    def in_flight(self, steps: Sequence[Step]) -> float:
        """Run the steps and wait only at the end; return ms."""
        begin = time.perf_counter()
        for step in steps:
            self._write(step)
            self._executor.device.gpu.queue.submit([self._encoded(step)])
        self._wait()
        return 1000 * (time.perf_counter() - begin)

    def measure(self, steps: Sequence[Step], cut: Cut) -> Measured:
        """Run and return the times of all slices of all steps."""
        if not self.timestamps:
            return self._by_wall(steps, cut)
        starts: list[float | None] = []
        durations: list[float | None] = []
        origin: int | None = None
        begun = time.perf_counter()
        for step in steps:
            start = time.perf_counter()
            spans = self._spans(step, cut)
            now = time.perf_counter()
            most, since = self._ticks(now - start), self._ticks(now - begun)
            origin = spans[0].begin if origin is None else origin
            for span in spans:
                ticks = elapsed(span.begin, span.end, most)
                self.discarded += ticks is None
                durations.append(self._ms(ticks))
                starts.append(self._ms(elapsed(origin, span.begin, since)))
        return Measured(starts, durations)

    def names(self, steps: Sequence[Step], cut: Cut) -> list[str]:
        """Return the names of all slices of all steps."""
        return [name for step in steps for name, _ in self._cut(step, cut)]

    def typical(self, runs: Sequence[Measured]) -> list[float | None]:
        """Return the typical time of each slice over some runs."""
        columns = zip(*(run.durations for run in runs), strict=True)
        return [typical(column, rounded=self.rounded) for column in columns]

    def total(self, runs: Sequence[Measured]) -> float | None:
        """Return the typical time of all slices together, over the runs in which all are known."""
        sums = [None if None in run.durations else sum(time or 0 for time in run.durations) for run in runs]
        return typical(sums, rounded=self.rounded)

    # One step.

    def _write(self, step: Step) -> None:
        for name, data in step.writes:
            self._executor.write(name, data)

    def _encoded(self, step: Step) -> Any:
        encoder = self._executor.device.gpu.create_command_encoder(label=" ".join(step.passes))
        self._executor.encode(encoder, step.passes, step.tokens)
        return encoder.finish()

    def _wait(self) -> None:
        self._executor.read("state", 4, np.uint32)

    def _empty(self) -> float:
        """Return the ms of submitting nothing and waiting for it."""
        begin = time.perf_counter()
        encoder = self._executor.device.gpu.create_command_encoder(label="empty")
        self._executor.device.gpu.queue.submit([encoder.finish()])
        self._wait()
        return 1000 * (time.perf_counter() - begin)

    def _cut(self, step: Step, cut: Cut) -> list[tuple[str, list[Prepared]]]:
        """Return the names of slices with their dispatches, which have the labels of passes."""
        key = (Step(step.passes, step.tokens), cut)
        if key not in self._slices:
            works = work(self._executor.program, step.passes, step.tokens)
            prepared = [dispatch for name in step.passes for dispatch in self._executor.prepared(name)]
            names = {
                "whole": [" ".join(step.passes)] * len(works),
                "group": [item.group for item in works],
                "dispatch": [f"{number} {item.dispatch.label}" for number, item in enumerate(works)],
            }[cut]
            pairs = groupby(zip(names, prepared, strict=True), key=lambda pair: pair[0])
            self._slices[key] = [(name, [dispatch for _, dispatch in run]) for name, run in pairs]
        return self._slices[key]

    def _spans(self, step: Step, cut: Cut) -> list[Span]:
        slices = self._cut(step, cut)
        gpu = self._executor.device.gpu
        if len(slices) not in self._stopwatches:
            self._stopwatches[len(slices)] = Stopwatch(self._executor.device, len(slices))
        watch = self._stopwatches[len(slices)]
        self._write(step)
        encoder = gpu.create_command_encoder(label=f"{' '.join(step.passes)} by {cut}")
        for number, (name, dispatches) in enumerate(slices):
            compute = encoder.begin_compute_pass(label=name, timestamp_writes=watch.writes(number))
            encode(compute, dispatches, step.tokens)
            compute.end()
        watch.resolve(encoder)
        gpu.queue.submit([encoder.finish()])
        spans = watch.read()
        self._quantum = quantum(spans, self._quantum)
        return spans

    def _by_wall(self, steps: Sequence[Step], cut: Cut) -> Measured:
        starts: list[float | None] = []
        durations: list[float | None] = []
        gpu = self._executor.device.gpu
        for step in steps:
            self._write(step)
            for name, dispatches in self._cut(step, cut):
                begin = time.perf_counter()
                encoder = gpu.create_command_encoder(label=name)
                compute = encoder.begin_compute_pass(label=name)
                encode(compute, dispatches, step.tokens)
                compute.end()
                gpu.queue.submit([encoder.finish()])
                self._wait()
                ms = 1000 * (time.perf_counter() - begin)
                starts.append(None)
                durations.append(max(0.0, ms - self.empty_ms))
        return Measured(starts, durations)

    def _ticks(self, seconds: float) -> float:
        return (1e9 * seconds + 1e6 * _SLACK_MS) / (self.tick_ns or 1)

    def _ms(self, ticks: int | None) -> float | None:
        return None if ticks is None else ticks * (self.tick_ns or 1) / 1e6
