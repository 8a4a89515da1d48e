"""`llq synth`: packages of random weights."""

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer

from llq_format.cli.failures import about
from llq_format.cli.layers import print_layers
from llq_format.cli.new_package import check_replaceable, hint_at_no_program, print_summary
from llq_format.cli.options import Chunk, Force, Json, KVCache, NoProgram, Scheme, ShardLimit
from llq_format.cli.terminal import ProgressBar, print_json, print_line, printable, stdout
from llq_format.format.layout import SHARD_LIMIT_DEFAULT
from llq_format.metadata.canonical_json import parse
from llq_format.metadata.findings import LLQError
from llq_format.metadata.metadata import with_affine
from llq_format.metadata.model import Model
from llq_format.synth import GEOMETRIES, geometry
from llq_format.synth import synth as write
from llq_format.webgpu.planning.planner import CHUNK
from llq_format.webgpu.planning.program_files import ProgramOptions

_EXTENSIONS = ("extensions", "extensions_required")
"""Members of metadata.json next to `model` that state what its layers do."""


def _list(*, json: bool) -> None:
    if json:
        print_json([{"name": name, "model": model.to_json()} for name, model in GEOMETRIES.items()])
        return
    for name, model in GEOMETRIES.items():
        print_line(stdout(), name, "bold")
        figures = (
            f"{len(model.layers)} layers, width {model.hidden_size}, vocabulary {model.vocab_size}, "
            f"{model.num_heads} heads ({model.num_kv_heads} of keys and values)"
        )
        print_line(stdout(), figures, lead="  ")
        print_layers(stdout(), model)


def synth(  # noqa: PLR0913  # one argument an option
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="GEOMETRY",
            help="Name of a geometry (--list prints the names), or a JSON file with a `model` object, such "
            "as metadata.json.",
            show_default=False,
        ),
    ] = None,
    directory: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="Directory to create for the package.", show_default=False),
    ] = None,
    *,
    scheme: Scheme = "affine",
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Random seed.")] = 0,
    layers: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Number of layers to write, from the first (default: all).",
            show_default=False,
        ),
    ] = None,
    shard_limit: ShardLimit = SHARD_LIMIT_DEFAULT,
    no_program: NoProgram = False,
    kv_cache: KVCache = "f16",
    chunk: Chunk = CHUNK,
    force: Force = False,
    json: Json = False,
    list_geometries: Annotated[
        bool, typer.Option("--list", help="List the names of the geometries and exit.")
    ] = False,
) -> None:
    """Write a valid package of random weights.

    Such packages serve load tests and benchmarks. The same geometry, options and seed produce the same
    bytes.

    Example: llq synth tiny tiny

    Example: llq synth llama-4-scout scout --layers 4

    Example: llq synth --list --json | jq -r '.[].name'
    """
    if list_geometries:
        _list(json=json)
        return
    if name is None or directory is None:
        missing = "GEOMETRY" if name is None else "DIR"
        raise typer.BadParameter(
            "Missing argument: expected GEOMETRY and DIR, or --list", param_hint=f"'{missing}'"
        )
    model = _geometry(name)
    check_replaceable(directory, force=force)
    with hint_at_no_program(), about(name), ProgressBar() as bar:
        metadata = write(
            model,
            directory,
            scheme=scheme,
            seed=seed,
            layers=layers,
            shard_limit=shard_limit,
            program=None if no_program else ProgramOptions(chunk, kv_cache),
            overwrite=force,
            on_total=bar.start,
            progress=bar.advance,
        )
    print_summary(directory, metadata, json=json)


def _geometry(text: str) -> str | Model:
    """Return a name in GEOMETRIES, or the model of a file, with its choices of LLQ_attention_affine."""
    if text in GEOMETRIES:
        return text
    path = Path(text)
    if not path.is_file():
        near = get_close_matches(text, GEOMETRIES, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else "`llq synth --list` lists the names"
        raise typer.BadParameter(
            f"{printable(text)} is neither a geometry nor a file: {hint}", param_hint="GEOMETRY"
        )
    value, findings = parse(path.read_bytes(), path.name)
    if findings:
        raise LLQError(findings[0])
    match value:
        case {"model": dict(model)}:
            geometry(model)
            extensions = {key: value[key] for key in _EXTENSIONS if isinstance(value.get(key), dict | list)}
            return Model.from_json(with_affine({"model": model, **extensions}))
    raise ValueError(f"{path}: expected a JSON object with a member `model`, as in metadata.json")
