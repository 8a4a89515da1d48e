"""Small packages and executors on lavapipe, for tests of the executor."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import llq_format
from llq_format.synth import synth
from llq_format.webgpu.execution.device import Device
from llq_format.webgpu.execution.executor import Executor
from llq_format.webgpu.execution.opening import Executable, executable, executor_on, open_device
from llq_format.webgpu.planning.module import kernel_sections
from llq_format.webgpu.planning.operations import rounding_program
from llq_format.webgpu.planning.planner import program_variants
from llq_format.webgpu.planning.sizes import KVCache

ADAPTER = "lavapipe"
VARIANT = "packed-dot"
CONTEXT = 32


def tiny_package(directory: Path) -> llq_format.Package:
    """Write a dense model of two layers, context 64, and open it."""
    synth("tiny", directory / "tiny", shard_limit=1 << 16)
    return llq_format.open(directory / "tiny")


@cache
def device_of_tests() -> Device:
    """Return a device that tests share; those that lose it make their own."""
    return new_device()


def new_device() -> Device:
    """Return a device of its own."""
    program = replace(rounding_program("int8", 1, 1), variants=program_variants(affine=True))
    kernels = Executable(program, kernel_sections(affine=True))
    return open_device(kernels, adapter=ADAPTER, variant=VARIANT)


def executor_of(
    package: llq_format.Package,
    *,
    context: int = CONTEXT,
    chunk: int = 8,
    kv_cache: KVCache = "f32",
    device: Device | None = None,
) -> Executor:
    """Return an executor of a package on the shared device."""
    program = executable(package, chunk=chunk, kv_cache=kv_cache)
    return executor_on(package, program, device or device_of_tests(), context)
