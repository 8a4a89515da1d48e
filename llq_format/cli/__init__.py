"""The `llq` command; one module a subcommand.

Exit status of all commands: 0 done, 1 failed (one message on stderr), 2 misuse, 130 interrupted.
`llq diff` has statuses of its own, as diff(1) does.
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
    """The subcommands, with every failure that the library knows reported instead of raised."""

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
        from importlib import metadata  # noqa: PLC0415  # takes longer than all of this module

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
            help="Print the versions of the package and of the format.",
        ),
    ] = False,
) -> None:
    """LLQ: INT4 Llama weights that WebGPU executes as stored.

    PATH is a package's directory, its metadata.json or its .wgsl module.

    Example: llq export SmolLM2-135M smollm2, then llq validate smollm2

    Exit status: 0 done, 1 failed, 2 misuse, 130 interrupted.
    """


def main() -> None:
    """Run the command line."""
    signal.signal(signal.SIGTERM, _terminate)
    if sys.stdout is None:  # closed by the shell
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # open to the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(
                errors="backslashreplace"
            )  # a terminal that lacks a character shows its escape
    with reported():
        app(prog_name="llq")


def _terminate(number: int, _frame: object) -> None:
    """Leave through every `finally`, so that a killed export leaves no partial package either."""
    sys.exit(128 + number)
