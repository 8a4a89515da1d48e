"""`llq export`: from a checkpoint to a package."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from llq_format.cli.export_progress import ExportProgress
from llq_format.cli.failures import INTERRUPTED
from llq_format.cli.new_package import check_replaceable, hint_at_no_program, print_summary, summary
from llq_format.cli.options import Chunk, Force, Json, KVCache, NewDirectory, NoProgram, Scheme, ShardLimit
from llq_format.cli.remote_checkpoints import local_checkpoint
from llq_format.cli.terminal import print_json, print_line, stderr
from llq_format.format.layout import SHARD_LIMIT_DEFAULT
from llq_format.webgpu.planning.planner import CHUNK
from llq_format.webgpu.planning.program_files import ProgramOptions

if TYPE_CHECKING:
    from llq_format.exporting.checkpoint.warnings import ExportWarning


def export(  # noqa: PLR0913  # one argument an option
    checkpoint: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT",
            help="Hugging Face directory or GGUF file, or an address: hf://ORG/NAME, hf://ORG/NAME@REVISION, "
            "hf://ORG/NAME/FILE.gguf or https://…/FILE.gguf.",
            show_default=False,
        ),
    ],
    directory: NewDirectory,
    *,
    scheme: Scheme = "affine",
    method: Annotated[
        Literal["rtn", "awq", "gptq", "best"] | None,
        typer.Option(
            help="Rounding method: rtn rounds to nearest; awq, gptq and best read a calibration text "
            "(default: best; rtn if there is no tokenizer to read the text).",
            show_default=False,
        ),
    ] = None,
    calibration: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Calibration text for awq, gptq and best: UTF-8 text, token ids in an .npy file, or "
            "builtin (default: builtin).",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Seed for the random rotations of --method best (default: 0).",
            show_default=False,
        ),
    ] = None,
    head: Annotated[
        Literal["int4", "f16"] | None,
        typer.Option(
            help="Number format of lm_head (default: int4; f16 if --method best unties it from the "
            "embedding).",
            show_default=False,
        ),
    ] = None,
    embedding: Annotated[Literal["f16", "f32"], typer.Option(help="Number format of the embedding.")] = "f16",
    stem: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="First part of the file names (default: derived from CHECKPOINT).",
            show_default=False,
        ),
    ] = None,
    tokenizer: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="tokenizer.json, tokenizer.model or their directory, to use in place of the tokenizer of "
            "CHECKPOINT.",
            show_default=False,
        ),
    ] = None,
    no_tokenizer: Annotated[
        bool, typer.Option("--no-tokenizer", help="Write a package without tokenizer.")
    ] = False,
    shard_limit: ShardLimit = SHARD_LIMIT_DEFAULT,
    no_program: NoProgram = False,
    kv_cache: KVCache = "f16",
    chunk: Chunk = CHUNK,
    force: Force = False,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes",
            help="Use the default method however long it takes; without it, above 15 minutes, the "
            "command asks on a terminal and fails elsewhere.",
        ),
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Treat warnings as errors: print them and write no package.")
    ] = False,
    json: Json = False,
) -> None:
    """Quantize a checkpoint to INT4 and write an LLQ package.

    Reads Llama, Llama 4 (text), Qwen2, Qwen2.5, dense Qwen3 and models that compute the same. Packages of
    Qwen require the extension LLQ_attention_affine.

    The same checkpoint and options produce the same bytes. If the command fails, it writes no package.

    The methods: best rotates the weights, unties a tied head and then rounds with error feedback; it has the
    smallest quality loss and is the default. gptq rounds with error feedback only. awq scales columns by the
    magnitude of their inputs. rtn rounds to nearest; it takes seconds, but small models then write nonsense.

    With awq, gptq and best, the command first shows the expected time. Finished layers are saved next to DIR.
    To resume an interrupted export, run the same command again.

    Example: llq export SmolLM2-135M-Instruct smollm2

    Example: llq export hf://HuggingFaceTB/SmolLM2-135M-Instruct smollm2

    Example: llq export model.gguf model --scheme symmetric --head f16

    Example: llq export model.gguf model --calibration my-text.txt

    Example: llq export model.gguf model --method rtn

    Example: llq export model.gguf model --tokenizer original/tokenizer.json

    The command ends with its warnings, such as a missing end token; each has a stable id. --json prints
    them as data, and --strict makes them errors.

    Example: llq export SmolLM2-135M-Instruct smollm2 --yes --strict

    To measure the quality loss: llq eval model --against model.gguf --text other-text.txt
    """
    # only this command reads checkpoints
    from llq_format.exporting.export import export as write  # noqa: PLC0415
    from llq_format.exporting.export import stem_of  # noqa: PLC0415

    if method == "rtn" and (calibration is not None or seed is not None):
        option = "--seed" if calibration is None else "--calibration"
        raise typer.BadParameter(
            "--method rtn does not use this option: use --method best, or remove the option",
            param_hint=f"'{option}'",
        )
    if tokenizer is not None and no_tokenizer:
        raise typer.BadParameter(
            "--tokenizer and --no-tokenizer contradict each other: remove one of them",
            param_hint="'--tokenizer'",
        )
    check_replaceable(directory, force=force)
    asks = method is None and not yes
    if method is None and (calibration is not None or seed is not None):
        method = "best"
    warnings: list[ExportWarning] = []
    path, name = local_checkpoint(checkpoint)
    progress = ExportProgress(asks=asks)
    try:
        with hint_at_no_program(), progress:
            metadata = write(
                path,
                directory,
                scheme=scheme,
                method=method,
                calibrate=calibration or "builtin",
                seed=seed or 0,
                head=head,
                embedding=embedding,
                stem=stem or (stem_of(name) if name else None),
                shard_limit=shard_limit,
                program=None if no_program else ProgramOptions(chunk, kv_cache),
                tokenizer=tokenizer or not no_tokenizer,
                overwrite=force,
                on_total=progress.on_total,
                progress=progress.on_bytes,
                on_start=progress.on_start,
                on_layer=progress.on_layer,
                strict=strict,
                on_warning=warnings.append,
                on_expected=progress.on_expected,
            )
    except KeyboardInterrupt:
        if not progress.layered:
            raise
        print_line(
            stderr(), "interrupted: finished layers are saved; run the same command to resume", lead="llq: "
        )
        raise typer.Exit(INTERRUPTED) from None
    if json:
        print_json(summary(directory, metadata) | {"warnings": [found.to_json() for found in warnings]})
        return
    print_summary(directory, metadata)
    for found in warnings:
        print_line(stderr(), f"{found.message} ({found.id})", "yellow", lead="warning: ")
