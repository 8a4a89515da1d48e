"""The measurement of a package on a device: `profile`, the article's profile() for wgpu-py."""

import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from importlib import metadata as distributions
from typing import Any

import numpy as np
import wgpu
from numpy.typing import NDArray
from wgpu.backends.wgpu_native import lib_version_info

from llq_format.format.layout import VERSION_TEXT
from llq_format.metadata.metadata import Metadata
from llq_format.metadata.model import ContextError
from llq_format.webgpu.execution.executor import Executor
from llq_format.webgpu.planning.workload import FULL_WORKGROUPS, OCCUPANCY, Work, occupancy, work
from llq_format.webgpu.profiling.clock import Clock, Cut, Measured, Step
from llq_format.webgpu.profiling.report import (
    FORMAT,
    VERSION,
    ProfileReport,
    Timed,
    gb_per_s,
    rounded,
    timeline,
    totals,
)

WARM_UP = 2
"""Number of warm-up tokens before each measurement; the prompt is prefilled once."""

_STRIDE = 7919  # a prime

_METHODS = {
    True: (
        "timestamp-query",
        (
            "GPU times are differences of timestamps at both ends of a compute pass: one pass a token for "
            "gpu_ms, one a block for block_times_ms, one a dispatch for operations and timeline. More passes "
            "cost time themselves, so that the sums differ."
        ),
    ),
    False: (
        "wall-clock",
        (
            "Without timestamp queries each block was submitted alone and timed by the host's clock, less "
            "the time of an empty submission. Single dispatches are not timed."
        ),
    ),
}


def profile(  # noqa: PLR0913  # one argument for each property of the measurement
    executor: Executor,
    prompt: Sequence[int],
    tokens: int = 16,
    *,
    repetitions: int = 3,
    timestamps: bool = True,
    progress: Callable[[str], None] = lambda _: None,
) -> ProfileReport:
    """Measure the prefill of a prompt and the greedy decoding of `tokens` tokens after it.

    prompt: token ids; repetitions: of the prefill; timestamps: use timestamp queries where the device has
    them; progress: called with the next activity. The executor's sequence is discarded. Times are
    medians over tokens or repetitions. Raises ContextError if prompt and tokens do not fit, ValueError for
    other input, DeviceLostError.
    """
    if tokens < 1 or repetitions < 1:
        raise ValueError("a profile requires at least one token and one repetition")
    longest = len(prompt) + max(tokens, WARM_UP)
    if longest > executor.context:
        raise ContextError(f"{longest} positions do not fit into a context of {executor.context}")
    package = executor.metadata
    if package is None or "decode" not in executor.program.passes:
        raise ValueError("this program has no model: a profile requires the program of a model package")
    with executor.device.failures():
        progress("warming up")
        clock = Clock(executor, timestamps=timestamps and executor.device.timestamps)
        executor.start()
        executor.prefill(prompt)
        executor.run("greedy", 1)
        first = int(executor.read("tokens", 1, np.uint32)[0])
        clock.trust(Step(("decode",), 1))
        decode = _decode(executor, clock, len(prompt), first, tokens, progress)
        prefill = _prefill(executor, clock, prompt, repetitions, progress)
    executor.start()
    works = decode.works
    memory = executor.memory()
    method, method_text = _METHODS[clock.timestamps]
    value = {
        "format": FORMAT,
        "version": VERSION,
        "block_times_ms": decode.value["block_times_ms"],
        "memory_usage_mb": round(sum(memory.values()) / 1e6, 3),
        "workgroup_occupancy": round(occupancy(works, [dispatch.typical_ms for dispatch in decode.timed]), 4),
        "occupancy": {
            "of": OCCUPANCY,
            "full_workgroups": FULL_WORKGROUPS,
        },
        "timing": {
            "method": method,
            "description": method_text,
            "statistic": "mean" if clock.rounded else "median",
            "tick_ns": clock.tick_ns,
            "quantum_ns": rounded(clock.quantum_ns),
            "warm_up": WARM_UP,
            "discarded": clock.discarded,
            "empty_submission_ms": rounded(clock.empty_ms),
        },
        "decode": {"tokens": tokens, "repetitions": tokens, **decode.value},
        "prefill": {"tokens": len(prompt), "repetitions": repetitions, **prefill.value},
        "memory_bytes": memory,
        "device": _device(executor),
        "model": _model(package),
        "program": {
            "sha256": sha256(executor.program.to_bytes()).hexdigest(),
            "variant": executor.device.variant.name,
            "chunk": executor.program.chunk,
            "kv_cache": executor.program.kv_cache,
            "context": executor.context,
        },
        "software": _software(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return ProfileReport(value)


def made_up_prompt(executor: Executor, count: int) -> list[int]:
    """Return a fixed list of token ids, distributed over the vocabulary."""
    vocab = executor.program.buffers["logits"].bytes // 4
    return [(_STRIDE * number + 1) % vocab for number in range(count)]


class _Phase:
    """Results of one phase: its members of the report, and its dispatches."""

    def __init__(self, works: list[Work], timed: list[Timed], value: dict[str, Any]) -> None:
        self.works, self.timed, self.value = works, timed, value


def _decode(  # noqa: PLR0913, PLR0917  # the parts of a phase
    executor: Executor, clock: Clock, position: int, first: int, tokens: int, progress: Callable[[str], None]
) -> _Phase:
    step = Step(("decode", "greedy"), 1)

    def begin() -> None:
        """Return to the first token after the prompt; later cache entries are overwritten."""
        executor.write("tokens", _words(first))
        executor.write("state", _words(position, 1))

    progress(f"decoding {tokens} tokens, one at a time")
    begin()
    for _ in range(min(WARM_UP, tokens)):
        clock.alone([step])
    begin()
    isolated = [clock.alone([step]) for _ in range(tokens)]
    progress(f"decoding {tokens} tokens, all in flight")
    begin()
    in_flight = clock.in_flight([step] * tokens) / tokens
    measured: dict[Cut, list[Measured]] = {}
    for cut in clock.cuts:
        progress(f"decoding {tokens} tokens, timing each {cut}")
        begin()
        for _ in range(min(WARM_UP, tokens)):
            clock.measure([step], cut)
        begin()
        measured[cut] = [clock.measure([step], cut) for _ in range(tokens)]
    phase = _phase(executor, clock, [step], isolated, measured)
    phase.value["in_flight_ms"] = rounded(in_flight)
    phase.value["tokens_per_s"] = rounded(1000 / in_flight)
    phase.value["first_position"] = position
    return phase


def _prefill(
    executor: Executor, clock: Clock, prompt: Sequence[int], repetitions: int, progress: Callable[[str], None]
) -> _Phase:
    size = executor.program.chunk
    chunks = [prompt[first : first + size] for first in range(0, len(prompt), size)]
    steps = [
        Step(
            ("prefill", "last") if chunk is chunks[-1] else ("prefill",),
            len(chunk),
            (("tokens", _words(*chunk)), ("state", _words(number * size, len(chunk)))),
        )
        for number, chunk in enumerate(chunks)
    ]
    progress(f"prefill of {len(prompt)} tokens")
    isolated = [clock.alone(steps) for _ in range(repetitions)]
    measured: dict[Cut, list[Measured]] = {}
    for cut in clock.cuts:
        progress(f"prefill of {len(prompt)} tokens, timing each {cut}")
        measured[cut] = [clock.measure(steps, cut) for _ in range(repetitions)]
    phase = _phase(executor, clock, steps, isolated, measured)
    wall = phase.value["host_ms"]["wall"]
    phase.value["tokens_per_s"] = rounded(1000 * len(prompt) / wall) if wall else None
    phase.value["first_position"] = 0
    return phase


def _phase(
    executor: Executor,
    clock: Clock,
    steps: Sequence[Step],
    isolated: Sequence[dict[str, float]],
    measured: Mapping[Cut, list[Measured]],
) -> _Phase:
    """Return the members that both phases have."""
    works = [item for step in steps for item in work(executor.program, step.passes, step.tokens)]
    groups = [item.group for item in works]
    times = clock.typical(measured["group"])
    by_group: dict[str, float | None] = {}
    for name, time in zip(clock.names(steps, "group"), times, strict=True):
        total_ms = by_group.get(name, 0.0)
        by_group[name] = None if time is None or total_ms is None else total_ms + time
    layers = list(dict.fromkeys(item.layer for item in works if item.layer is not None))
    blocks = [by_group.pop(f"layers.{layer}") for layer in layers]
    timed = _timed(clock, works, measured.get("dispatch", []))
    gpu = clock.total(measured["whole"]) if "whole" in measured else None
    weight_bytes = round(sum(item.weight_bytes for item in works))
    host_ms = {name: rounded(statistics.median(run[name] for run in isolated)) for name in isolated[0]}
    single = [dispatch.typical_ms for dispatch in timed]
    value = {
        "dispatches": len(works),
        "gpu_ms": rounded(gpu),
        "host_ms": host_ms,
        "block_times_ms": [rounded(time) for time in blocks],
        "other_times_ms": {
            name: rounded(by_group[name]) for name in dict.fromkeys(groups) if name in by_group
        },
        "dispatches_ms": rounded(sum(time for time in single if time is not None)) if any(single) else None,
        "weight_bytes": weight_bytes,
        "weight_gb_per_s": gb_per_s(weight_bytes, gpu or host_ms["wall"]),
        "operations": totals(timed, "operation"),
        "entry_points": totals(timed, "entry_point"),
        "timeline": timeline(timed),
    }
    return _Phase(works, timed, value)


def _timed(clock: Clock, works: Sequence[Work], measured: Sequence[Measured]) -> list[Timed]:
    """Join dispatches with their times; pictured is the run whose total is in the middle."""
    typical: Sequence[float | None] = [None] * len(works)
    starts: Sequence[float | None] = typical
    durations: Sequence[float | None] = typical
    if measured:
        typical = clock.typical(measured)
        ranked = sorted(measured, key=lambda run: sum(time or 0 for time in run.durations))
        pictured = ranked[len(ranked) // 2]
        starts, durations = pictured.starts, pictured.durations
    return [
        Timed(
            item.dispatch.label,
            item.operation,
            item.dispatch.entry_point,
            item.layer,
            item.workgroups,
            item.weight_bytes,
            start,
            duration,
            usual,
        )
        for item, start, duration, usual in zip(works, starts, durations, typical, strict=True)
    ]


def _words(*words: int) -> NDArray[np.uint32]:
    return np.array(words, np.uint32)


def _device(executor: Executor) -> dict[str, Any]:
    info = executor.device.adapter.info
    return {
        "adapter": info["device"],
        "vendor": info["vendor"],
        "architecture": info["architecture"],
        "driver": info["description"],
        "backend": info["backend_type"],
        "type": info["adapter_type"],
    }


def _model(metadata: Metadata) -> dict[str, Any]:
    """Return the geometry, which decides most of the times."""
    model = metadata.model
    assert model is not None  # noqa: S101  # there is a program
    ffn = model.layers[0].ffn
    return {
        "name": metadata.stem,
        "digest": metadata.digest,
        "weights": sum(tensor.rows * tensor.cols for tensor in metadata.tensors),
        "layers": len(model.layers),
        "hidden_size": model.hidden_size,
        "intermediate_size": ffn.intermediate_size,
        "num_heads": model.num_heads,
        "num_kv_heads": model.num_kv_heads,
        "head_dim": model.head_dim,
        "vocab_size": model.vocab_size,
        "num_experts": 0 if ffn.moe is None else asdict(ffn.moe)["num_experts"],
        "fp16_layers": model.fp16_layers,
    }


def _software() -> dict[str, str]:
    try:
        ours = distributions.version("llq-format")
    except distributions.PackageNotFoundError:
        ours = "source tree"
    return {
        "runtime": "llq-format",
        "version": ours,
        "format": VERSION_TEXT,
        "webgpu": f"wgpu-py {wgpu.__version__}, wgpu-native {'.'.join(map(str, lib_version_info))}",
        "language": f"Python {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()}",
    }
