"""`llq validate`: all findings of packages."""

from typing import Annotated

import typer
from rich.console import Console

from llq_format import validate as validate_all
from llq_format.cli.failures import FAILED
from llq_format.cli.finding_list import MOST_FINDINGS, print_findings
from llq_format.cli.options import Json
from llq_format.cli.terminal import ProgressBar, print_json, print_line, stdout
from llq_format.metadata.findings import Finding
from llq_format.remote.addresses import is_address
from llq_format.remote.packages import validate_index as validate_remote_index
from llq_format.validation.validate import validate_index


def validate(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Packages: their directories, metadata.json files or .wgsl modules, or addresses.",
            show_default=False,
        ),
    ],
    *,
    index_only: Annotated[
        bool,
        typer.Option(
            "--index-only",
            help="Check metadata.json and the lengths of the other files, without their contents.",
        ),
    ] = False,
    max_findings: Annotated[
        int | None,
        typer.Option(
            "--max-findings",
            metavar="N",
            min=1,
            help="Maximum number of findings to print for each package (default: 100, where identical "
            "findings count once; --json prints all).",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Check packages against every rule and print all findings.

    An address, such as https://example.org/smollm2, requires --index-only: no weight is downloaded.

    A finding names the rule, its code in brackets, the place, what was found, what was expected and how to
    fix it. Codes are stable, so that scripts can select findings by them.
    Findings that differ only in their place are printed once, with their number and their first places.
    `llq explain RULE` prints the rule. The output of --json follows spec/schema/findings.schema.json.

    Example: llq validate smollm2

    Example: llq validate --index-only https://example.org/smollm2

    Example: llq validate --max-findings 1000 smollm2

    Example: llq validate --json smollm2 llama | jq '.[].valid'

    Example: llq validate --json smollm2 | jq '.[].findings[] | select(.code == "part-overlaps")'

    Exit status: 0 all packages are valid, 1 a package is invalid, 2 usage error.
    """
    console = stdout()
    results: list[tuple[str, list[Finding]]] = []
    for path in paths:
        if is_address(path) and not index_only:
            raise typer.BadParameter(
                f"{path} is an address: add --index-only, or download the package",
                param_hint="'PATH'",
            )
        results.append((path, _findings(path, index_only=index_only)))
        findings = results[-1][1]
        if not json:
            print_findings(
                console,
                findings,
                lead=f"{path}: " if len(paths) > 1 else "",
                most=MOST_FINDINGS if max_findings is None else max_findings,
            )
    if json:
        print_json([_as_json(name, findings, max_findings) for name, findings in results])
    else:
        for name, findings in results:
            _print_verdict(console, name, findings)
    if not all(_is_valid(findings) for _, findings in results):
        raise typer.Exit(FAILED)


def _findings(path: str, *, index_only: bool) -> list[Finding]:
    """Return the findings of a package, or of its index."""
    if is_address(path):
        return validate_remote_index(path)
    if index_only:
        return validate_index(path)
    with ProgressBar() as bar:
        return validate_all(path, progress=bar.advance, on_total=bar.start)


def _is_valid(findings: list[Finding]) -> bool:
    return all(finding.severity != "error" for finding in findings)


def _as_json(path: str, findings: list[Finding], most: int | None) -> dict[str, object]:
    """Return one entry of the JSON output (`spec/schema/findings.schema.json`)."""
    value: dict[str, object] = {
        "path": path,
        "valid": _is_valid(findings),
        "findings": [finding.to_json() for finding in findings[:most]],
    }
    if most is not None and len(findings) > most:
        value["omitted"] = len(findings) - most
    return value


def _print_verdict(console: Console, path: str, findings: list[Finding]) -> None:
    errors = sum(finding.severity == "error" for finding in findings)
    counts = [
        f"{count} {word}{'' if count == 1 else 's'}"
        for count, word in ((errors, "error"), (len(findings) - errors, "warning"))
        if count
    ]
    verdict = ", ".join(["invalid" if errors else "valid", *counts])
    print_line(console, f"{path}: {verdict}", "bold red" if errors else "bold green")
