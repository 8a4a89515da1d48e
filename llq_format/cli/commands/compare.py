"""`llq compare`: a comparison of runtimes, from their conformance reports."""

from pathlib import Path
from typing import Annotated

import typer

from llq_format.cli.options import Json
from llq_format.cli.suite import suite
from llq_format.cli.terminal import print_json, print_line, print_table, stderr, stdout
from llq_format.files.file_replacement import replace_file


def compare(
    reports: Annotated[
        list[Path],
        typer.Argument(
            metavar="REPORT",
            help="Directories written by `pytest conformance --report`, or their report.json files.",
            show_default=False,
        ),
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="HTML page to write.", show_default=False),
    ] = None,
    json: Json = False,
    show_all: Annotated[
        bool, typer.Option("--all", help="Include the rules that every runtime satisfies.")
    ] = False,
) -> None:
    """Compare runtimes by their conformance reports.

    Prints a table unless -o or --json is given. The table lists the share of passed checks for each
    capability, the satisfied rules for each area, and every rule that a runtime violates.

    Example: llq compare reports/a reports/b

    Example: llq compare reports/a reports/b -o comparison.html

    Exit status: 0 success, 1 failure, 2 usage error.
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
        print_table(stdout(), *comparison.table(all_rules=show_all))
        print_line(stdout(), suite("reporting.comparison").SIGNS_LEGEND, lead="  ")
