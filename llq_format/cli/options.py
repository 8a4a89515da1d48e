"""Arguments and options that several commands have."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from llq_format.format.layout import ALIGNMENT, SHARD_LIMIT_MAX

PackagePath = Annotated[Path, typer.Argument(metavar="PATH", help="The package.", show_default=False)]
NewDirectory = Annotated[
    Path, typer.Argument(metavar="DIR", help="The package's directory, to be made.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
All = Annotated[bool, typer.Option("--all", help="Print long lists in full.")]
Scheme = Annotated[
    Literal["affine", "symmetric"],
    typer.Option(help="INT4 with a zero_point per block, or with 8 throughout."),
]


def _multiple_of_256(value: int) -> int:
    if value % ALIGNMENT:
        raise typer.BadParameter(f"{value} is not a multiple of {ALIGNMENT}.")
    return value


ShardLimit = Annotated[
    int,
    typer.Option(
        min=2 * ALIGNMENT,
        max=SHARD_LIMIT_MAX,
        metavar="BYTES",
        callback=_multiple_of_256,
        help=f"Longest shard, a multiple of {ALIGNMENT}.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace DIR if it exists.")]
NoProgram = Annotated[
    bool, typer.Option("--no-program", help="Leave out the WGSL module and program.json: weights alone.")
]
KVCache = Annotated[
    Literal["f16", "f32"], typer.Option(help="What the program's KV cache holds: binary16 or binary32.")
]
Chunk = Annotated[
    int, typer.Option(min=1, max=4096, metavar="N", help="Most tokens that the program prefills at once.")
]
