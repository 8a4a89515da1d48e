"""`llq profile`: where the time of a token goes; profiles of several devices side by side."""

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
from llq_format.package.atomic_replacement import replace_file
from llq_format.webgpu.profiling.comparison import METRICS, ProfileMatrix, cell, merge
from llq_format.webgpu.profiling.page import matrix_page, profile_page
from llq_format.webgpu.profiling.report import ProfileReport

_HEAD, _TAIL = 14, 3  # layers that a folded list keeps at either end
_OPERATIONS = 12
_BAR = 40


def profile(  # noqa: PLR0913  # one argument an option
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH", help="The package; with --merge, profiles.", show_default=False),
    ],
    *,
    adapter: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Part of an adapter's name, or a driver's .json.", show_default=False
        ),
    ] = None,
    variant: Annotated[str, typer.Option(metavar="NAME", help="Variant of the program.")] = "best",
    prompt_tokens: Annotated[int, typer.Option(metavar="N", min=1, help="Tokens of the prefill.")] = 128,
    tokens: Annotated[int, typer.Option(metavar="N", min=1, help="Tokens to decode behind it.")] = 16,
    context: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Positions of the KV cache; 2048 or the program's.", show_default=False
        ),
    ] = None,
    json: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write JSON; - is standard output.", show_default=False),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a page.", show_default=False)
    ] = None,
    merge_reports: Annotated[
        bool, typer.Option("--merge", help="Make one matrix of the JSON of several devices.")
    ] = False,
    show_all: All = False,
) -> None:
    """Measure a package on a WebGPU device.

    Told are the times of layers and operations, memory, and the host's own time.

    The prompt is of made-up tokens: times hardly depend on which they are. Without --json - a summary is
    printed; the page shows every dispatch of one token and of the prefill on a time line.

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
        raise typer.BadParameter("one package is profiled at a time; --merge takes several profiles.")
    report = _measured(paths[0], adapter, variant, prompt_tokens, tokens, context)
    _write(json, html, report.to_json(), profile_page(report) if html else "")
    if str(json) != "-":
        _print_report(stdout(), report.value, show_all=show_all)


def _measured(  # noqa: PLR0913, PLR0917  # the options
    path: Path, adapter: str | None, variant: str, prompt_tokens: int, tokens: int, context: int | None
) -> ProfileReport:
    from llq_format.package.reader import open as open_package  # noqa: PLC0415  # starts fast without NumPy's weight

    try:
        from llq_format.webgpu.execution.opening import open_executor  # noqa: PLC0415  # needs the extra `webgpu`
        from llq_format.webgpu.profiling.profile import made_up_prompt, profile  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name != "wgpu":
            raise
        raise ValueError("profiling needs wgpu: pip install 'llq-format[webgpu]'") from None

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
            f"{cell(decode['tokens_per_s'])} tokens/s, {cell(decode['in_flight_ms'])} ms a token in flight",
        ),
        (
            "alone",
            f"{cell(host['wall'])} ms: "
            + ", ".join(f"{part} {cell(host[part])}" for part in ("encode", "submit", "wait")),
        ),
        ("device", f"{cell(decode['gpu_ms'])} ms a token in {decode['dispatches']} dispatches"),
        (
            "weights",
            f"{decode['weight_bytes'] / 1e6:,.1f} MB a token, {cell(decode['weight_gb_per_s'])} GB/s",
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
            f"{value['workgroup_occupancy']:.2f}, an estimate from the program: mean fill of dispatches",
        ),
    ]
    print_fields(console, fields)
    print_heading(console, "one token")
    print_table(console, ("layer", "ms", ""), _layer_rows(decode, show_all=show_all), left_columns=(0, 2))
    for phase, title in ((decode, "operations of a token"), (prefill, "operations of the prefill")):
        _print_operations(console, phase, title, show_all=show_all)


def _layer_rows(decode: Mapping[str, Any], *, show_all: bool) -> list[Sequence[str]]:
    """Return layers and what is none, with bars; the middle of many layers is folded."""
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
    """Return A to Z, then A1 and so on."""
    return chr(ord("A") + number % 26) + (str(number // 26) if number >= 26 else "")
