"""`llq rerun`: one vector of the conformance suite, run again."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from llq_format.cli.failures import FAILED
from llq_format.cli.suite import suite
from llq_format.cli.terminal import printable, stderr, stdout


def rerun(  # noqa: PLR0913  # one argument an option
    vector: Annotated[str, typer.Argument(metavar="ID", help="Id of the vector.", show_default=False)],
    *,
    runtime: Annotated[
        str, typer.Option(metavar="SPEC", help="Runtime, as for `pytest conformance`.")
    ] = "reference",
    exporter: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC",
            help="Exporter, as for `pytest conformance`; the runtime then checks its packages.",
            show_default=False,
        ),
    ] = None,
    exporter_claims: Annotated[
        Literal["model", "weights", "rounding"] | None,
        typer.Option(help="Claims of the exporter, as for `pytest conformance`.", show_default=False),
    ] = None,
    answer_timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.001, help="Time limit for one answer, in seconds.")
    ] = 30.0,
    vectors: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Directory of vectors, instead of the vectors of the suite.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run one conformance vector again on a runtime or an exporter.

    Prints the full report of each check, with the input, the expected value and the actual value.

    Example: llq rerun worked-example --runtime='cmd:node adapter.mjs'

    Example: llq rerun gguf-of-q8-0 --exporter='cmd:llq export --method rtn {checkpoint} {package}'

    Exit status: 0 passed, 1 failed or not claimed, 2 usage error.
    """
    engine = suite("reporting.rerun")
    console = stdout()
    passed, failed = False, False
    home = vectors or engine.VECTORS
    try:
        if exporter is None:
            results = engine.rerun(vector, runtime, answer_timeout, home)
        else:
            target = engine.Target(exporter, "exporter", exporter_claims or "", runtime)
            results = engine.rerun_export(vector, target, answer_timeout, home)
        for result in results:
            for line in engine.result_text(result).split("\n"):
                console.print(printable(line), soft_wrap=True)
            passed |= result.outcome == "passed"
            failed |= result.outcome.bad
    except engine.MISUSE as error:
        raise typer.BadParameter(printable(str(error))) from error
    except engine.NoAnswerError as error:
        for line in error.detail.split("\n"):
            stderr().print(printable(line), soft_wrap=True)
        raise ValueError(str(error)) from error
    if failed or not passed:
        raise typer.Exit(FAILED)
