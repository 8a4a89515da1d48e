"""`llq program`: the WGSL module and the execution program of a package, made anew."""

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
"""The context that memory is stated for, or the program's greatest where that is less."""


def program(
    path: PackagePath,
    *,
    kv_cache: KVCache = "f16",
    chunk: Chunk = CHUNK,
    context: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="State memory for so many positions.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Write the WGSL module and program.json of a package.

    Shards stay as they are; the package has a new digest. Packages get both when they are made.

    Example: llq program smollm2

    Example: llq program llama --kv-cache f32 --chunk 64 --json
    """
    programs: list[bytes] = []

    def make(metadata: Metadata) -> bytes:
        programs.append(program_maker(ProgramOptions(chunk, kv_cache))(metadata))
        return programs[-1]

    with about(path):
        metadata = attach(path, module_bytes(), make)
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
        ("prefill", f"up to {planned.chunk} tokens at once"),
        ("context", f"up to {planned.context_length:,} positions, KV cache {planned.kv_cache}"),
        (
            "memory",
            f"{sum(memory.values()) / 1e6:,.1f} MB for {positions:,} positions: "
            + ", ".join(f"{name.replace('_', ' ')} {size / 1e6:,.1f}" for name, size in memory.items()),
        ),
    ]
    print_fields(stdout(), fields, indent=0)


def _memory(metadata: Metadata, planned: Program, positions: int) -> dict[str, int]:
    """Return bytes on the device by purpose, as `Executor.memory` tells them when all buffers are made."""
    memory = {"weights": sum(shard.byte_length for shard in metadata.shards)}
    for buffer in planned.buffers.values():
        memory[buffer.purpose] = memory.get(buffer.purpose, 0) + buffer.size(positions)
    return memory
