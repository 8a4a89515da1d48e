"""From a package to a host: which program and module, which adapter, which variant."""

from collections.abc import Mapping
from dataclasses import dataclass

from llq_format.canonical_json import parse
from llq_format.reader import Package
from llq_format.webgpu.adapters import find_adapter, supports
from llq_format.webgpu.device import Device
from llq_format.webgpu.device_errors import DeviceError, DeviceLostError
from llq_format.webgpu.host import Host
from llq_format.webgpu.module import kernel_sections, read_module
from llq_format.webgpu.planner import CHUNK, plan
from llq_format.webgpu.program import FILE_NAME, VERSION, Program
from llq_format.webgpu.self_test import computes_rightly
from llq_format.webgpu.sizes import KVCache

BEST = "best"
"""The last variant that the adapter has the features of, and that passes the self-test."""

_GENERATION = ("prefill", "last", "decode", "greedy", "sample")
"""Passes whose buffers are made at once, so that a lack of memory shows before the first token."""


@dataclass(frozen=True, slots=True)
class Executable:
    """A program with the sections that its variants are made of."""

    program: Program
    sections: Mapping[str, str]


def executable(package: Package, *, chunk: int | None = None, kv_cache: KVCache | None = None) -> Executable:
    """Return the package's own program and module, or new ones.

    New ones are made if the package lacks one of the two, or has another chunk or KV cache than asked for.
    Raises LLQError for a file whose hash is wrong, ValueError for a program that is none, UnplannableError.
    """
    metadata = package.metadata
    if metadata.module is not None and metadata.program is not None:
        program = _program(package.read_file(metadata.program))
        if chunk in (None, program.chunk) and kv_cache in (None, program.kv_cache):
            sections = read_module(package.read_file(metadata.module).decode("utf-8", "replace"))
            return Executable(program, sections)
    planned = plan(metadata, chunk=chunk or CHUNK, kv_cache=kv_cache or "f16")
    return Executable(planned, kernel_sections())


def open_device(found: Executable, *, adapter: str | None = None, variant: str = BEST) -> Device:
    """Return a device for a variant, after its self-test.

    adapter: see `find_adapter`. variant: `best`, or a name of one of the program's.
    Raises DeviceError if there is no such adapter or variant, or the device computes wrongly with it.
    """
    chosen = find_adapter(adapter)
    names = [v.name for v in found.program.variants]
    if variant not in (BEST, *names):
        raise DeviceError(f"no variant {variant!r}; the program has {', '.join(names)}")
    wanted = (
        [v.name for v in reversed(found.program.variants) if supports(chosen, v)]
        if variant == BEST
        else [variant]
    )
    for name in wanted:
        device = Device(found.program, found.sections, adapter=adapter, variant=name)
        if computes_rightly(device):
            return device
        device.gpu.destroy()
    tried = ", ".join(wanted) or "none has the features"
    raise DeviceError(
        f"{chosen.info['device']} executes no variant rightly: {tried}; its driver may need an update"
    )


def open_host(  # noqa: PLR0913  # one argument an option of `llq run`
    package: Package,
    *,
    adapter: str | None = None,
    variant: str = BEST,
    context: int | None = None,
    chunk: int | None = None,
    kv_cache: KVCache | None = None,
) -> Host:
    """Return a host of a package, its weights uploaded and checked.

    adapter, variant: see `open_device`. context: positions of the KV cache, by default 2048 or the program's.
    chunk, kv_cache: those of the package's program, unless given.
    Raises DeviceError, LLQError for damaged files, ContextError, UnplannableError, ValueError.
    """
    found = executable(package, chunk=chunk, kv_cache=kv_cache)
    return host_on(package, found, open_device(found, adapter=adapter, variant=variant), context)


def host_on(package: Package, found: Executable, device: Device, context: int | None = None) -> Host:
    """Return a host on a device that is open. Raises DeviceError, which says what memory would be enough."""
    try:
        host = Host(package, found.program, device, context)
        for run in _GENERATION:
            for dispatch in found.program.passes[run]:
                for name in dispatch.bindings:
                    if name in found.program.buffers:
                        host.resource(name)
    except DeviceLostError:
        raise
    except DeviceError as error:
        needed = device_bytes(package, found.program, context)
        raise DeviceError(
            f"{error}; all buffers together take {needed / 1e6:.0f} MB, and a shorter context takes less"
        ) from None
    return host


def device_bytes(package: Package, program: Program, context: int | None = None) -> int:
    """Return the bytes of all buffers of a host, for a context."""
    positions = context or min(program.context_length, 2048)
    shards = sum(shard.byte_length for shard in package.metadata.shards)
    return shards + sum(buffer.size(positions) for buffer in program.buffers.values())


def _program(data: bytes) -> Program:
    value, findings = parse(data, FILE_NAME)
    remedy = "`llq program PATH` makes it anew"
    if findings:
        raise ValueError(f"{FILE_NAME} is no program: {findings[0].found}; {remedy}")
    version = value.get("version") if isinstance(value, dict) else None
    if not isinstance(version, str) or version.split(".")[0] != VERSION.split(".")[0]:
        raise ValueError(f"{FILE_NAME} is no program of version {VERSION[0]}: {version!r}; {remedy}")
    try:
        return Program.from_json(value)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{FILE_NAME} is no program: {error!r}; {remedy}") from None
