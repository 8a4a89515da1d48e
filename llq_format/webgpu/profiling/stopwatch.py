"""Times of compute passes by a device's own clock: timestamp queries (WebGPU: timestamp-query)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import wgpu
from wgpu.backends.wgpu_native import lib

from llq_format.webgpu.execution.device import Device, DeviceError

QUERIES_PER_SET = 4096
"""The most queries that WebGPU allows in one set."""

_TICK_BITS = (32, 36, 40, 48, 56)
"""Widths of the counters of devices that have fewer than 64 bits."""


@dataclass(frozen=True, slots=True)
class Span:
    """One pass: begin and end in ticks of the device's counter."""

    begin: int
    end: int


class Stopwatch:
    """Timestamps of the passes of one submission."""

    def __init__(self, device: Device, passes: int) -> None:
        """Make the query sets. Raises DeviceError if the device has no timestamp queries."""
        if not device.timestamps:
            raise DeviceError(f"{device.name} has no timestamp queries")
        self._gpu = device.gpu
        self._count = 2 * passes
        usage = wgpu.BufferUsage.QUERY_RESOLVE | wgpu.BufferUsage.COPY_SRC
        # A resolved set begins on a multiple of 256, as 4096 queries of 8 bytes do.
        self._ticks = device.buffer("timestamps", max(256, 8 * self._count), usage)
        self._sets = [
            self._gpu.create_query_set(
                label=f"timestamps {first}", type="timestamp", count=min(QUERIES_PER_SET, self._count - first)
            )
            for first in range(0, self._count, QUERIES_PER_SET)
        ]

    def writes(self, number: int) -> dict[str, Any]:
        """Return the `timestamp_writes` of the pass of this number."""
        query = 2 * number % QUERIES_PER_SET
        return {
            "query_set": self._sets[2 * number // QUERIES_PER_SET],
            "beginning_of_pass_write_index": query,
            "end_of_pass_write_index": query + 1,
        }

    def resolve(self, encoder: Any) -> None:
        """Encode the copy of all timestamps to the buffer that `read` reads."""
        for number, queries in enumerate(self._sets):
            first = number * QUERIES_PER_SET
            count = min(QUERIES_PER_SET, self._count - first)
            encoder.resolve_query_set(queries, 0, count, self._ticks, 8 * first)

    def read(self) -> list[Span]:
        """Wait for what was submitted and return the span of every pass."""
        data = self._gpu.queue.read_buffer(self._ticks, 0, 8 * self._count)
        ticks = [int(tick) for tick in np.frombuffer(data, np.uint64)]
        return [Span(begin, end) for begin, end in zip(ticks[::2], ticks[1::2], strict=True)]


def tick_ns(device: Device) -> float:
    """Return the nanoseconds of a tick: wgpu-native gives ticks of the driver, browsers give nanoseconds."""
    period = float(lib.wgpuQueueGetTimestampPeriod(device.gpu.queue._internal))  # noqa: SLF001
    return period if math.isfinite(period) and period > 0 else 1.0


def elapsed(begin: int, end: int, most: float) -> int | None:
    """Return the ticks from begin to end, or None if the clock is implausible.

    most: what the elapsed ticks cannot exceed, from the host's clock. A counter of fewer than 64 bits that
    began again from zero is understood; anything else that runs backwards or too far is discarded.
    """
    if end >= begin:
        return end - begin if end - begin <= most else None
    for bits in _TICK_BITS:
        if begin < 1 << bits and end + (1 << bits) - begin <= most:
            return end + (1 << bits) - begin
    return None


def quantum(spans: Sequence[Span], divisor: int = 0) -> int:
    """Return the coarsest step, in ticks, that all timestamps are multiples of; 0 for a single time.

    divisor: the step of other timestamps, 0 if there were none. Browsers round to 100 µs by default.
    """
    ticks = [tick for span in spans for tick in (span.begin, span.end)]
    return math.gcd(divisor, *(tick - ticks[0] for tick in ticks))


def typical(samples: Sequence[float | None], *, rounded: bool) -> float | None:
    """Return the median of the samples there are; their mean if the clock is rounded; None without any.

    The median of times rounded to a step is a multiple of that step; their mean comes near the true time.
    """
    measured = [sample for sample in samples if sample is not None]
    if not measured:
        return None
    return float(np.mean(measured) if rounded else np.median(measured))
