"""`llq compare`: runtimes side by side, from their conformance reports."""

from pathlib import Path
from typing import Annotated

import typer

from llq_format.cli.options import Json
from llq_format.cli.suite import suite
from llq_format.cli.terminal import print_json, print_line, print_table, stderr, stdout
from llq_format.package.atomic_replacement import replace_file


def compare(
    reports: Annotated[
        list[Path],
        typer.Argument(
            metavar="REPORT",
            help="Directories that pytest conformance --report wrote, or their report.json.",
            show_default=False,
        ),
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write a page.", show_default=False),
    ] = None,
    json: Json = False,
    show_all: Annotated[bool, typer.Option("--all", help="Print rules that all keep, too.")] = False,
) -> None:
    """Put conformance reports of runtimes side by side.

    Without -o and --json a table is printed: per capability the share of checks passed, per area the rules
    kept, and the rules that some runtime breaks.

    Example: llq compare reports/a reports/b -o comparison.html

    Exit status: 0 done, 1 failed, 2 misuse.
    """
    comparison = suite("reporting.comparison").Comparison.read(reports)
    for warning in comparison.warnings:
        print_line(stderr(), f"warning: {warning}")
    if output:
        page = suite("reporting.html.comparison_page").comparison_page(comparison, output.parent)
        with replace_file(output) as file:
            file.write(page.encode())
    if json:
        print_json(comparison.to_json())
    elif not output:
        print_table(stdout(), *comparison.table(every=show_all))
        print_line(stdout(), suite("reporting.comparison").SIGNS_LEGEND, lead="  ")
