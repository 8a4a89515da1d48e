"""`llq program`: a new WGSL module and a new execution program for a package."""

from typing import Annotated, Any

import typer

from llq_format.cli.failures import about
from llq_format.cli.options import Chunk, Json, KVCache, PackagePath
from llq_format.cli.terminal import print_fields, print_json, stdout
from llq_format.metadata.canonical_json import parse
from llq_format.metadata.metadata import Metadata
from llq_format.package.attach_program import attach
from llq_format.validation.package_files import package_directory
from llq_format.webgpu.planning.planner import CHUNK
from llq_format.webgpu.planning.program import Program
from llq_format.webgpu.planning.program_files import ProgramOptions, module_bytes, program_maker

CONTEXT = 2048
"""Context for which memory use is reported, unless the maximum of the program is smaller."""


def program(
    path: PackagePath,
    *,
    kv_cache: KVCache = "f16",
    chunk: Chunk = CHUNK,
    context: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Context for which to report memory use, in positions (default: 2048, or the "
            "maximum of the program if smaller).",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Write a new WGSL module and a new program.json for a package.

    The shards do not change, but the digest of the package does. `llq export` and `llq synth` already write
    both files; use this command to add them to a package that lacks them, or to change their options.

    Example: llq program smollm2

    Example: llq program llama --kv-cache f32 --chunk 64 --json
    """
    programs: list[bytes] = []

    def make(metadata: Metadata) -> bytes:
        programs.append(program_maker(ProgramOptions(chunk, kv_cache))(metadata))
        return programs[-1]

    with about(path):
        metadata = attach(path, lambda metadata: module_bytes(metadata.model), make)
    planned = Program.from_json(parse(programs[0])[0])
    positions = min(context or CONTEXT, planned.context_length)
    memory = _memory(metadata, planned, positions)
    dispatches = {name: len(run) for name, run in planned.passes.items()}
    figures: dict[str, Any] = {
        "path": str(package_directory(path)),
        "digest": metadata.digest,
        "chunk": planned.chunk,
        "kv_cache": planned.kv_cache,
        "context_length": planned.context_length,
        "variants": [variant.name for variant in planned.variants],
        "dispatches": dispatches,
        "memory": {"context": positions, **memory},
    }
    if json:
        print_json(figures)
        return
    fields = [
        ("package", figures["path"]),
        ("digest", metadata.digest),
        ("variants", ", ".join(figures["variants"])),
        ("dispatches", ", ".join(f"{name} {count}" for name, count in dispatches.items())),
        ("prefill", f"up to {planned.chunk} tokens per step"),
        ("context", f"up to {planned.context_length:,} positions, KV cache {planned.kv_cache}"),
        (
            "memory",
            f"{sum(memory.values()) / 1e6:,.1f} MB for {positions:,} positions: "
            + ", ".join(f"{name.replace('_', ' ')} {size / 1e6:,.1f}" for name, size in memory.items()),
        ),
    ]
    print_fields(stdout(), fields, indent=0)


def _memory(metadata: Metadata, planned: Program, positions: int) -> dict[str, int]:
    """Return the bytes on the device by purpose, equal to `Executor.memory` after all buffers are created."""
    memory = {"weights": sum(shard.byte_length for shard in metadata.shards)}
    for buffer in planned.buffers.values():
        memory[buffer.purpose] = memory.get(buffer.purpose, 0) + buffer.size(positions)
    return memory
