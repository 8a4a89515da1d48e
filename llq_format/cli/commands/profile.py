"""`llq profile`: time per layer and operation of a token, on one device or several."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from llq_format.cli.failures import about
from llq_format.cli.options import All
from llq_format.cli.terminal import (
    print_fields,
    print_heading,
    print_json,
    print_line,
    print_table,
    stderr,
    stdout,
)
from llq_format.files.file_replacement import replace_file
from llq_format.webgpu.profiling.comparison import METRICS, ProfileMatrix, cell, merge
from llq_format.webgpu.profiling.page import matrix_page, profile_page
from llq_format.webgpu.profiling.report import ProfileReport

_HEAD, _TAIL = 14, 3  # layers at the start and the end of a shortened list
_OPERATIONS = 12
_BAR = 40


def profile(  # noqa: PLR0913  # one argument an option
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH", help="Package; with --merge, JSON profiles.", show_default=False),
    ],
    *,
    adapter: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Part of an adapter's name (`llq devices` lists them), or the .json manifest of a driver.",
            show_default=False,
        ),
    ] = None,
    variant: Annotated[
        str, typer.Option(metavar="NAME", help="Kernel variant; best selects the last variant that works.")
    ] = "best",
    prompt_tokens: Annotated[
        int, typer.Option(metavar="N", min=1, help="Number of tokens to prefill.")
    ] = 128,
    tokens: Annotated[
        int, typer.Option(metavar="N", min=1, help="Number of tokens to decode after the prefill.")
    ] = 16,
    context: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Capacity of the KV cache, in positions (default: 2048, or the maximum of the "
            "program if smaller).",
            show_default=False,
        ),
    ] = None,
    json: Annotated[
        Path | None,
        typer.Option(
            "--json",
            metavar="FILE",
            help="JSON profile to write; - writes to standard output.",
            show_default=False,
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="HTML report to write.", show_default=False)
    ] = None,
    merge_reports: Annotated[
        bool, typer.Option("--merge", help="Merge the JSON profiles of several devices into one matrix.")
    ] = False,
    show_all: All = False,
) -> None:
    """Measure the speed of a package on a WebGPU device.

    Reports time per layer and operation, memory use and host overhead. The prompt consists of synthetic
    tokens, because the times hardly depend on the tokens. The HTML report shows every dispatch of one token
    and of the prefill on a timeline.

    Requires the extra `webgpu`: pip install 'llq-format[webgpu]'

    Example: llq profile smollm2 --prompt-tokens 32 --tokens 8 --json a.json --html a.html

    Example: llq profile --merge a.json b.json --html matrix.html
    """
    if merge_reports:
        reports = [(path.stem, ProfileReport.read(path)) for path in paths]
        matrix = merge(reports)
        _write(json, html, matrix.to_json(), matrix_page(matrix) if html else "")
        if str(json) != "-":
            _print_matrix(stdout(), matrix)
        return
    if len(paths) != 1:
        raise typer.BadParameter(
            "expected one package: profile packages one at a time; --merge accepts several JSON profiles"
        )
    report = _measured(paths[0], adapter, variant, prompt_tokens, tokens, context)
    _write(json, html, report.to_json(), profile_page(report) if html else "")
    if str(json) != "-":
        _print_report(stdout(), report.value, show_all=show_all)


def _measured(  # noqa: PLR0913, PLR0917  # the options of the command
    path: Path, adapter: str | None, variant: str, prompt_tokens: int, tokens: int, context: int | None
) -> ProfileReport:
    from llq_format.package.reader import open as open_package  # noqa: PLC0415  # starts fast without NumPy's weight

    try:
        from llq_format.webgpu.execution.opening import open_executor  # noqa: PLC0415  # needs the extra `webgpu`
        from llq_format.webgpu.profiling.profile import made_up_prompt, profile  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name != "wgpu":
            raise
        raise ValueError("`llq profile` requires wgpu: pip install 'llq-format[webgpu]'") from None

    with about(path), open_package(path) as package:
        executor = open_executor(package, adapter=adapter, variant=variant, context=context)
        prompt = made_up_prompt(executor, prompt_tokens)
        console = stderr()

        def progress(activity: str) -> None:
            if console.is_terminal:
                print_line(console, f"{activity} …", "dim")

        return profile(executor, prompt, tokens, progress=progress)


def _write(json: Path | None, html: Path | None, value: Mapping[str, Any], page: str) -> None:
    if json is not None and str(json) == "-":
        print_json(value)
    elif json is not None:
        with replace_file(json) as file:
            file.write(ProfileReport(value).to_bytes())
    if html is not None:
        with replace_file(html) as file:
            file.write(page.encode())
    for path in (json, html):
        if path is not None and str(path) != "-":
            print_line(stderr(), f"wrote {path}")


def _print_report(console: Console, value: Mapping[str, Any], *, show_all: bool) -> None:
    decode, prefill, device = value["decode"], value["prefill"], value["device"]
    print_line(console, f"{value['model']['name']} on {device['adapter']}", "bold")
    host, prefill_ms = decode["host_ms"], prefill["host_ms"]["wall"]
    fields = [
        ("variant", f"{value['program']['variant']}, KV cache {value['program']['kv_cache']}"),
        ("times", f"{value['timing']['statistic']}s, {value['timing']['method']}"),
        (
            "decode",
            f"{cell(decode['tokens_per_s'])} tokens/s, {cell(decode['in_flight_ms'])} ms per pipelined token",
        ),
        (
            "one token",
            f"{cell(host['wall'])} ms: "
            + ", ".join(f"{part} {cell(host[part])}" for part in ("encode", "submit", "wait")),
        ),
        ("device", f"{cell(decode['gpu_ms'])} ms per token in {decode['dispatches']} dispatches"),
        (
            "weights",
            f"{decode['weight_bytes'] / 1e6:,.1f} MB per token, {cell(decode['weight_gb_per_s'])} GB/s",
        ),
        (
            "prefill",
            f"{cell(prefill['tokens_per_s'])} tokens/s: {prefill['tokens']} tokens in {cell(prefill_ms)} ms",
        ),
        (
            "memory",
            f"{cell(value['memory_usage_mb'])} MB: "
            + ", ".join(f"{name} {size / 1e6:,.1f}" for name, size in value["memory_bytes"].items()),
        ),
        (
            "occupancy",
            f"{value['workgroup_occupancy']:.2f}, estimated from the program: mean over all dispatches",
        ),
    ]
    print_fields(console, fields)
    print_heading(console, "layers of one token")
    print_table(console, ("layer", "ms", ""), _layer_rows(decode, show_all=show_all), left_columns=(0, 2))
    for phase, title in ((decode, "operations of one token"), (prefill, "operations of the prefill")):
        _print_operations(console, phase, title, show_all=show_all)


def _layer_rows(decode: Mapping[str, Any], *, show_all: bool) -> list[Sequence[str]]:
    """Return rows of layers and other groups, with bars; the middle of a long list is omitted."""
    layers = [(str(number), ms) for number, ms in enumerate(decode["block_times_ms"])]
    other_times = list(decode.get("other_times_ms", {}).items())
    most = max((ms or 0 for _, ms in (*layers, *other_times)), default=0) or 1
    rows: list[Sequence[str]] = [
        (name, cell(ms), "█" * round(_BAR * (ms or 0) / most)) for name, ms in (*layers, *other_times)
    ]
    hidden = len(layers) - _HEAD - _TAIL
    if hidden > 1 and not show_all:
        rows[_HEAD : _HEAD + hidden] = [(f"… {hidden} more", "", "(--all)")]
    return rows


def _print_operations(console: Console, phase: Mapping[str, Any], title: str, *, show_all: bool) -> None:
    operations = phase["operations"]
    rows = [
        (
            row["operation"],
            cell(row["ms"]),
            "–" if row["share"] is None else f"{row['share']:.1%}",
            row["dispatches"],
            cell(row["weight_gb_per_s"]),
        )
        for row in (operations if show_all else operations[:_OPERATIONS])
    ]
    print_heading(console, title)
    print_table(console, ("operation", "ms", "share", "dispatches", "GB/s"), rows)
    if len(rows) < len(operations):
        print_line(console, f"… {len(operations) - len(rows)} more (--all)", lead="  ")


def _print_matrix(console: Console, matrix: ProfileMatrix) -> None:
    for number, column in enumerate(matrix.columns):
        words = ", ".join(text for text in (column.device, column.variant, column.driver) if text)
        print_line(console, words, lead=f"{_letter(number)}  ")
    for model in matrix.models:
        print_heading(console, model)
        rows = [
            (
                f"{metric.name} ({metric.unit})" if metric.unit else metric.name,
                *map(cell, matrix.row(model, metric)),
            )
            for metric in METRICS
        ]
        print_table(console, ("", *(_letter(number) for number in range(len(matrix.columns)))), rows)
    for warning in matrix.warnings:
        print_line(stderr(), f"warning: {warning}")


def _letter(number: int) -> str:
    """Return A to Z, then A1 to Z1, and so on."""
    return chr(ord("A") + number % 26) + (str(number // 26) if number >= 26 else "")
