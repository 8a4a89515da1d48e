"""A model on a WebGPU device: `python -m benchmarks.webgpu_model PACKAGE [--context 256] [--tokens 64]`.

Prints the times of decode and prefill, of starting against reading the files in the same run, bytes a second
of each kernel, and where the rest of a token goes. --out writes the profile that `llq profile --merge` takes.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import llq_format
from benchmarks.timing import best_of
from llq_format.webgpu.execution.device_errors import DeviceError
from llq_format.webgpu.execution.executor import Executor
from llq_format.webgpu.execution.generation import generate
from llq_format.webgpu.execution.opening import open_executor
from llq_format.webgpu.profiling.comparison import cell
from llq_format.webgpu.profiling.profile import made_up_prompt, profile
from llq_format.webgpu.profiling.report import ProfileReport

_PIECE = 16 << 20
_FIRST_PROMPT = 8


def main(options: argparse.Namespace) -> None:
    """Measure and print."""
    shards = sorted(options.package.glob("*.llq"))
    total = sum(path.stat().st_size for path in shards)
    read_all(shards)  # the page cache is warm from here on
    reading = best_of(3, {"read": lambda: read_all(shards)})["read"]
    began = time.perf_counter()
    with llq_format.open(options.package) as package:
        executor = open_executor(
            package, adapter=options.adapter, variant=options.variant, context=options.context
        )
        opened = time.perf_counter()
        prompt = made_up_prompt(executor, _FIRST_PROMPT)
        next(iter(generate(executor, prompt, 1)))
        started = time.perf_counter() - began
        print(f"{executor.device.name}, variant {executor.device.variant.name}, {package.metadata.stem}")
        line("reading the shards", reading, "s", f"{total / reading / 1e9:.2f} GB/s, {total / 1e9:.3f} GB")
        line("open package to first token", started, "s", f"{started / reading:.2f} × reading; at most 2")
        line("  of it until the executor is ready", opened - began, "s")
        prompt = made_up_prompt(executor, options.prompt_tokens)
        per_token = token_seconds(lambda count: list(generate(executor, prompt, count)), options.tokens)
        line("decode, generate()", 1000 * per_token, "ms/token", f"{1 / per_token:.1f} tokens/s")
        report = profile(executor, prompt, options.tokens)
        figures(executor, report)
    if options.out:
        options.out.write_bytes(report.to_bytes())


def read_all(paths: list[Path]) -> None:
    """Read files whole, in pieces."""
    buffer = bytearray(_PIECE)
    for path in paths:
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass


def token_seconds(generation: Callable[[int], object], tokens: int) -> float:
    """Return the seconds of a token: a long generation minus that of one token."""
    generation(1)
    times = best_of(3, {"one": lambda: generation(1), "all": lambda: generation(tokens + 1)})
    return (times["all"] - times["one"]) / tokens


def figures(executor: Executor, report: ProfileReport) -> None:
    """Print the profile."""
    value = report.value
    decode, prefill = value["decode"], value["prefill"]
    line("decode, in flight", decode["in_flight_ms"], "ms/token", f"{decode['tokens_per_s']:.1f} tokens/s")
    alone = decode["host_ms"]
    parts = ", ".join(f"{part} {cell(alone[part])}" for part in ("encode", "submit", "wait"))
    line("decode, alone", alone["wall"], "ms/token", parts)
    if decode["gpu_ms"] is not None:
        line("decode on the device", decode["gpu_ms"], "ms/token", "one compute pass")
        line("  a pass for each dispatch", decode["dispatches_ms"], "ms/token")
    line("dispatches a token", decode["dispatches"], "")
    line("weights a token", decode["weight_bytes"] / 1e6, "MB", f"{cell(decode['weight_gb_per_s'])} GB/s")
    count = prefill["tokens"]
    line(f"prefill of {count}", prefill["tokens_per_s"], "tokens/s", f"{cell(prefill['host_ms']['wall'])} ms")
    memory = ", ".join(f"{name} {size / 1e6:,.1f}" for name, size in value["memory_bytes"].items())
    line(f"device memory, context {executor.context}", value["memory_usage_mb"], "MB", memory)
    line("workgroup occupancy", value["workgroup_occupancy"], "", "an estimate")
    for phase, of in ((decode, "decode"), (prefill, "prefill")):
        print(f"\n{of + ': kernel':32} {'ms':>10} {'share':>7} {'dispatches':>10} {'µs each':>9} {'GB/s':>9}")
        for row in phase["entry_points"]:
            ms, share, dispatches = row["ms"], row["share"], row["dispatches"]
            mean = None if ms is None else 1000 * ms / dispatches
            share_text = "–" if share is None else f"{share:.1%}"
            print(
                f"{row['entry_point']:32} {cell(ms):>10} {share_text:>7} {dispatches:>10} {cell(mean):>9} "
                f"{cell(row['weight_gb_per_s']):>9}"
            )


def line(label: str, number: float, unit: str, details: str = "") -> None:
    """Print one figure."""
    print(f"{label:32} {cell(number):>10} {unit:9} {details}".rstrip())


def arguments() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.webgpu_model")
    parser.add_argument("package", type=Path)
    parser.add_argument("--context", type=int, default=256, help="positions of the KV cache")
    parser.add_argument("--tokens", type=int, default=64, help="tokens to decode")
    parser.add_argument("--prompt-tokens", type=int, default=128, help="tokens to prefill")
    parser.add_argument("--adapter", help="part of an adapter's name, or a driver's .json")
    parser.add_argument("--variant", default="best")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the profile, as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main(arguments())
    except (ValueError, OSError, DeviceError) as error:
        sys.exit(f"webgpu_model: {error}")
