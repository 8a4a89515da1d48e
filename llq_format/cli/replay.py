"""`llq replay`: one vector of the conformance suite asked again."""

from pathlib import Path
from typing import Annotated

import typer

from llq_format.cli.failures import FAILED
from llq_format.cli.suite import suite
from llq_format.cli.terminal import printable, stderr, stdout


def replay(
    vector: Annotated[str, typer.Argument(metavar="ID", help="Id of a vector.", show_default=False)],
    *,
    runtime: Annotated[
        str, typer.Option(metavar="SPEC", help="The runtime, as for pytest conformance.")
    ] = "reference",
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=0.001, help="Limit of one answer.")] = 30.0,
    vectors: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Other vectors than the suite's own.", show_default=False),
    ] = None,
) -> None:
    """Ask a runtime about one vector and explain each answer.

    Example: llq replay worked-example --runtime='cmd:node adapter.mjs'

    Exit status: 0 passed, 1 not passed or nothing claimed, 2 misuse.
    """
    engine = suite("replay")
    console = stdout()
    passed, bad = False, False
    try:
        for result in engine.replay(vector, runtime, timeout, vectors or engine.VECTORS):
            for line in engine.told(result).split("\n"):
                console.print(printable(line), soft_wrap=True)
            passed |= result.outcome == "passed"
            bad |= result.outcome.bad
    except engine.MISUSE as error:
        raise typer.BadParameter(printable(str(error))) from error
    except engine.NoAnswerError as error:
        for line in error.detail.split("\n"):
            stderr().print(printable(line), soft_wrap=True)
        raise ValueError(str(error)) from error
    if bad or not passed:
        raise typer.Exit(FAILED)
