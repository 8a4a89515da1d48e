"""The opening of an executor: selects the program and module, the adapter and the variant of a package."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llq_format.metadata.findings import LLQError, Place, fail
from llq_format.metadata.metadata import FileEntry
from llq_format.package.reader import Package
from llq_format.validation.execution import check_files, check_sizes
from llq_format.webgpu.execution.adapters import find_adapter, supports
from llq_format.webgpu.execution.device import Device
from llq_format.webgpu.execution.device_errors import DeviceError, DeviceLostError, ShaderError
from llq_format.webgpu.execution.executor import Executor
from llq_format.webgpu.execution.self_test import computes_rightly
from llq_format.webgpu.execution.weights import Weights
from llq_format.webgpu.planning.module import kernel_sections, read_module
from llq_format.webgpu.planning.planner import CHUNK, plan
from llq_format.webgpu.planning.program import Program
from llq_format.webgpu.planning.sizes import KVCache

BEST = "best"
"""Name for the last variant that the adapter supports and that passes the self-test."""

_GENERATION = ("prefill", "last", "decode", "greedy", "sample")
"""Passes whose buffers are created early, so that a lack of memory is detected before the first token."""


@dataclass(frozen=True, slots=True)
class Executable:
    """A program with the sections of its variants.

    module: the name of the module in the package, None for the kernels of this implementation.
    """

    program: Program
    sections: Mapping[str, str]
    module: str | None = None


def executable(package: Package, *, chunk: int | None = None, kv_cache: KVCache | None = None) -> Executable:
    """Return the program and module of the package, or new ones.

    New ones are made if the package lacks one of the two, or has another chunk or KV cache than requested.
    Raises LLQError for a file that breaks a rule (LLQ-PROG-22), UnplannableError.
    """
    metadata = package.metadata
    if metadata.module is not None and metadata.program is not None:
        files = _package_files(package, metadata.module, metadata.program)
        program = files.program
        if chunk in (None, program.chunk) and kv_cache in (None, program.kv_cache):
            return files
    planned = plan(metadata, chunk=chunk or CHUNK, kv_cache=kv_cache or "f16")
    return Executable(planned, kernel_sections(affine=bool(metadata.model and metadata.model.extensions())))


def open_device(
    files: Executable, *, adapter: str | None = None, variant: str = BEST, weights: Weights | None = None
) -> Device:
    """Return a device for a variant, after its self-test, which needs the kernels of this implementation.

    A module of other kernels is accepted without a self-test.
    adapter: see `find_adapter`. variant: `best`, or a name of one of the program's.
    A variant that does not compile or fails the self-test is passed over for `best`.
    weights: are uploaded while the self-test runs.
    Raises DeviceError if there is no such adapter or variant, or the variant fails the self-test; LLQError
    (LLQ-WGSL-5) if the compiler refuses the module of a package.
    """
    gpu_adapter = find_adapter(adapter)
    names = [v.name for v in files.program.variants]
    if variant not in (BEST, *names):
        raise DeviceError(f"no variant {variant!r}; the program has {', '.join(names)}")
    names_to_try = (
        [v.name for v in reversed(files.program.variants) if supports(gpu_adapter, v)]
        if variant == BEST
        else [variant]
    )
    refusals: list[ShaderError] = []
    for name in names_to_try:
        try:
            device = Device(files.program, files.sections, adapter=gpu_adapter, variant=name)
        except ShaderError as error:
            refusals.append(error)
            continue
        device.prepare(files.program.pipelines)  # while the self-test runs
        own = files.sections in (kernel_sections(), kernel_sections(affine=True))
        if weights is not None:
            weights.begin(device)
        if not own or computes_rightly(device):
            return device
        if weights is not None:
            weights.settle()
        device.gpu.destroy()
    raise _no_device(files, str(gpu_adapter.info["device"]), names_to_try, refusals)


def _no_device(
    files: Executable, gpu: str, variants: Sequence[str], refusals: Sequence[ShaderError]
) -> DeviceError | LLQError:
    """Return the error of a device that executes none of some variants."""
    if not variants:
        return DeviceError(f"{gpu} lacks the WebGPU features of every variant of the program")
    refused = {error.variant for error in refusals}
    wrong = ", ".join(name for name in variants if name not in refused)
    if wrong:
        return DeviceError(
            f"{gpu} fails the self-test of every variant ({wrong}): update the graphics driver"
        )
    first = refusals[0]
    if files.module is None:
        return first
    values = {"problem": first.problem, "variant": first.variant}
    return fail("variant-not-compiled", Place(file=files.module), values)


def open_executor(  # noqa: PLR0913  # one argument an option of `llq run`
    package: Package,
    *,
    adapter: str | None = None,
    variant: str = BEST,
    context: int | None = None,
    chunk: int | None = None,
    kv_cache: KVCache | None = None,
) -> Executor:
    """Return an executor of a package, its weights uploaded and checked.

    adapter, variant: see `open_device`. context: positions of the KV cache, by default 2048 or the program's.
    chunk, kv_cache: those of the package's program, unless given.
    Raises DeviceError, LLQError for damaged files, ContextError, UnplannableError, ValueError.
    """
    files = executable(package, chunk=chunk, kv_cache=kv_cache)
    with Weights(package, files.program) as weights:  # checked while the device is opened
        device = open_device(files, adapter=adapter, variant=variant, weights=weights)
        return executor_on(package, files, device, context, weights)


def executor_on(
    package: Package,
    files: Executable,
    device: Device,
    context: int | None = None,
    weights: Weights | None = None,
) -> Executor:
    """Return an executor on an open device. Raises DeviceError, which names the required memory."""
    try:
        executor = Executor(package, files.program, device, context, weights)
        for run in _GENERATION:
            for dispatch in files.program.passes[run]:
                for name in dispatch.bindings:
                    if name in files.program.buffers:
                        executor.resource(name)
    except DeviceLostError:
        raise
    except DeviceError as error:
        needed = device_bytes(package, files.program, context)
        raise DeviceError(
            f"{error}; all buffers together need {needed / 1e6:.0f} MB; a shorter context needs less"
        ) from None
    return executor


def device_bytes(package: Package, program: Program, context: int | None = None) -> int:
    """Return the bytes of all buffers of an executor, for a context."""
    positions = context or min(program.context_length, 2048)
    shards = sum(shard.byte_length for shard in package.metadata.shards)
    return shards + sum(buffer.size(positions) for buffer in program.buffers.values())


def _package_files(package: Package, module: FileEntry, program: FileEntry) -> Executable:
    """Return the files of the package after stage `program`. Raises LLQError with the first error."""
    findings = check_sizes(package.metadata)
    if not findings:
        text, data = package.read_file(module), package.read_file(program)
        value, findings = check_files(package.metadata, text, data)
    if findings:
        raise LLQError(min(findings, key=lambda finding: finding.order))
    return Executable(Program.from_json(value), read_module(text.decode("ascii")), module.file)
