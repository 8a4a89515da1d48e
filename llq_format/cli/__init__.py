"""The `llq` command, with one module for each subcommand.

Exit status of all commands: 0 success, 1 failure (one message on stderr), 2 usage error, 130 interrupted.
`llq diff` has its own exit statuses, like diff(1).
"""

import os
import signal
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from llq_format.cli.commands import (
    compare,
    decode,
    devices,
    diff,
    dump,
    eval,  # noqa: A004  # named as the command
    explain,
    export,
    inspect,
    layout,
    profile,
    program,
    rerun,
    run,
    serve,
    synth,
    validate,
)
from llq_format.cli.failures import reported
from llq_format.format.layout import VERSION_TEXT


class _Commands(TyperGroup):
    """The group of subcommands; it reports every failure that the library knows instead of raising it."""

    def invoke(self, ctx: Any) -> Any:
        with reported():
            return super().invoke(ctx)


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: no panels, 80 columns
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("validate")(validate.validate)
app.command("inspect")(inspect.inspect)
app.command("decode")(decode.decode)
app.command("dump")(dump.dump)
app.command("layout")(layout.layout)
app.command("explain")(explain.explain)
app.command("diff")(diff.diff)
app.command("export")(export.export)
app.command("eval")(eval.evaluate)
app.command("program")(program.program)
app.command("run")(run.run)
app.command("serve")(serve.serve)
app.command("devices")(devices.devices)
app.command("synth")(synth.synth)
app.command("rerun")(rerun.rerun)
app.command("compare")(compare.compare)
app.command("profile")(profile.profile)


def _version(*, show: bool) -> None:
    if show:
        from importlib import metadata  # noqa: PLC0415  # takes longer to import than this module

        try:
            package = metadata.version("llq-format")
        except metadata.PackageNotFoundError:
            package = "(not installed: running from a source tree)"
        typer.echo(f"llq-format {package}, format {VERSION_TEXT}")
        raise typer.Exit


@app.callback()
def _llq(
    *,
    _show_version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=lambda show: _version(show=show),
            is_eager=True,
            help="Print the version of llq-format and of the LLQ format, and exit.",
        ),
    ] = False,
) -> None:
    """Create, check, inspect and run LLQ packages.

    LLQ stores the weights of Llama models in INT4 so that WebGPU executes them as stored. PATH denotes a
    package: its directory, its metadata.json or its .wgsl module.

    Example: llq export SmolLM2-135M smollm2

    Example: llq validate smollm2

    Example: llq run smollm2 "The capital of France is"

    `llq COMMAND --help` describes a command.

    Exit status: 0 success, 1 failure, 2 usage error, 130 interrupted.
    """


def main() -> None:
    """Run the command line."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # SIGHUP is missing on Windows
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, _terminate)
    if sys.stdout is None:  # closed by the shell
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # stays open until exit
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a character shows an escape
    with reported():
        app(prog_name="llq")


def _terminate(number: int, _frame: object) -> None:
    """Exit through every `finally` block, so that a killed export leaves no partial package."""
    sys.exit(128 + number)
