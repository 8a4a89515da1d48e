"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from llq_format.format.layout import ALIGNMENT, SHARD_LIMIT_MAX

PackagePath = Annotated[
    Path,
    typer.Argument(
        metavar="PATH", help="Package: its directory, metadata.json or .wgsl module.", show_default=False
    ),
]
PackageAddress = Annotated[
    str,
    typer.Argument(
        metavar="PATH",
        help="Package: its directory, metadata.json or .wgsl module, or an address such as https://….",
        show_default=False,
    ),
]
NewDirectory = Annotated[
    Path, typer.Argument(metavar="DIR", help="Directory to create for the package.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
All = Annotated[bool, typer.Option("--all", help="Print long lists in full.")]
Scheme = Annotated[
    Literal["affine", "symmetric"],
    typer.Option(
        help="INT4 encoding: affine stores a zero_point for each block, symmetric uses 8 for all blocks."
    ),
]


def _multiple_of_256(value: int) -> int:
    if value % ALIGNMENT:
        raise typer.BadParameter(f"{value} is not a multiple of {ALIGNMENT}")
    return value


ShardLimit = Annotated[
    int,
    typer.Option(
        min=2 * ALIGNMENT,
        max=SHARD_LIMIT_MAX,
        metavar="BYTES",
        callback=_multiple_of_256,
        help=f"Maximum size of a shard, in bytes; a multiple of {ALIGNMENT}.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace the package in DIR if DIR exists.")]
NoProgram = Annotated[
    bool,
    typer.Option("--no-program", help="Write the weights only, without the WGSL module and program.json."),
]
KVCache = Annotated[
    Literal["f16", "f32"], typer.Option(help="Number format of the KV cache: binary16 or binary32.")
]
Chunk = Annotated[
    int, typer.Option(min=1, max=4096, metavar="N", help="Maximum number of tokens in one prefill step.")
]
