"""`llq export`: from a checkpoint to a package."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from llq_format.cli.failures import INTERRUPTED
from llq_format.cli.new_package import check_replaceable, hint_at_no_program, print_summary
from llq_format.cli.options import Chunk, Force, Json, KVCache, NewDirectory, NoProgram, Scheme, ShardLimit
from llq_format.cli.terminal import ProgressBar, print_line, stderr
from llq_format.format.layout import SHARD_LIMIT_DEFAULT
from llq_format.webgpu.planning.planner import CHUNK
from llq_format.webgpu.planning.program_files import ProgramOptions


def export(  # noqa: PLR0913  # one argument an option
    checkpoint: Annotated[
        Path,
        typer.Argument(
            metavar="CHECKPOINT", help="A Hugging Face directory, or a GGUF file.", show_default=False
        ),
    ],
    directory: NewDirectory,
    *,
    scheme: Scheme = "affine",
    method: Annotated[
        Literal["rtn", "awq", "gptq", "best"],
        typer.Option(help="How codes are chosen; all but rtn, rounding to nearest, read a text."),
    ] = "rtn",
    calibration: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="The text that they read: UTF-8 text, token ids in an .npy, or builtin, the default.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=0, help="Of the random rotations of best, by default 0.", show_default=False
        ),
    ] = None,
    head: Annotated[
        Literal["int4", "f16"] | None,
        typer.Option(
            help="How lm_head is stored, by default int4, but f16 if best untied it.", show_default=False
        ),
    ] = None,
    embedding: Annotated[Literal["f16", "f32"], typer.Option(help="How the embedding is stored.")] = "f16",
    stem: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="First part of file names; made from CHECKPOINT if absent.",
            show_default=False,
        ),
    ] = None,
    shard_limit: ShardLimit = SHARD_LIMIT_DEFAULT,
    no_program: NoProgram = False,
    kv_cache: KVCache = "f16",
    chunk: Chunk = CHUNK,
    force: Force = False,
    json: Json = False,
) -> None:
    """Quantize a checkpoint to INT4 and write it as a package.

    The package appears whole or not at all; the same checkpoint and options give the same bytes.

    awq scales columns by their inputs, gptq rounds with error feedback, best rotates the weights first and
    unties a tied head. Layers that are done are kept beside DIR until its end: the same command goes on.

    Example: llq export SmolLM2-135M-Instruct smollm2

    Example: llq export model.gguf model --scheme symmetric --head f16

    Example: llq export model.gguf model --method best --calibration my-text.txt

    Then llq eval model --against model.gguf --text other-text.txt tells what was lost.
    """
    from llq_format.exporting.export import export as write  # noqa: PLC0415  # reads checkpoints, which others do not

    if method == "rtn" and (calibration is not None or seed is not None):
        option = "--seed" if calibration is None else "--calibration"
        raise typer.BadParameter(
            "rtn, the default of --method, does not use it: add --method best, or leave it out.",
            param_hint=f"'{option}'",
        )
    check_replaceable(directory, force=force)
    layered = method != "rtn"
    try:
        with hint_at_no_program(), ProgressBar("layers" if layered else "bytes") as bar:
            metadata = write(
                checkpoint,
                directory,
                scheme=scheme,
                method=method,
                calibrate=calibration or "builtin",
                seed=seed or 0,
                head=head,
                embedding=embedding,
                stem=stem,
                shard_limit=shard_limit,
                program=None if no_program else ProgramOptions(chunk, kv_cache),
                overwrite=force,
                on_total=None if layered else bar.start,
                progress=None if layered else bar.advance,
                on_start=bar.start if layered else None,
                on_layer=bar.advance if layered else None,
            )
    except KeyboardInterrupt:
        if not layered:
            raise
        print_line(stderr(), "interrupted; layers that are done are kept for the same command", lead="llq: ")
        raise typer.Exit(INTERRUPTED) from None
    print_summary(directory, metadata, json=json)
