"""The expected time of an export, the question whether to take it, and the progress."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

import typer

from llq_format.cli.terminal import ProgressBar, print_line, stderr

if TYPE_CHECKING:
    from llq_format.exporting.calibration import ExpectedTime

ASKS_ABOVE = 15 * 60.0
"""Expected time of the default method, in seconds, above which the command asks."""


class ExportProgress:
    """The callbacks of an export: a bar of layers for methods that calibrate, else a bar of bytes."""

    def __init__(self, *, asks: bool) -> None:
        """Start without a bar; asks: whether a long export needs the consent of the user."""
        self._asks = asks
        self._bar = ProgressBar()
        self._open = False
        self.layered = False

    def on_expected(self, expected: "ExpectedTime") -> None:
        """Print the expected time. Raises typer.BadParameter if it is long and the user does not agree."""
        self._close()  # a live bar would cover the question
        self.layered = True
        self._bar = ProgressBar("layers")
        seconds = expected.seconds()
        print_line(stderr(), f"--method {expected.method}: expected time {duration(seconds)}", lead="llq: ")
        if self._asks and seconds > ASKS_ABOVE:
            _ask(expected)
        self._bar.__enter__()
        self._open = True

    def on_total(self, total: int, stem: str) -> None:
        """Start the bar of bytes."""
        if not self.layered:
            self._bar.start(total, stem)

    def on_bytes(self, count: int) -> None:
        """Advance the bar of bytes."""
        if not self.layered:
            self._bar.advance(count)

    def on_start(self, layers: int, stem: str) -> None:
        """Start the bar of layers."""
        self._bar.start(layers, stem)

    def on_layer(self, count: int) -> None:
        """Advance the bar of layers."""
        self._bar.advance(count)

    def __enter__(self) -> Self:
        self._bar.__enter__()
        self._open = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        """End the bar, if it is shown."""
        if self._open:
            self._bar.__exit__(None, None, None)
            self._open = False


def duration(seconds: float) -> str:
    """Return a time as people say it: seconds up to 90, minutes up to 90, then hours."""
    if seconds <= 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds <= 90 * 60 else f"{seconds / 3600:.1f} h"


def _ask(expected: "ExpectedTime") -> None:
    """Ask on a terminal whether to export all the same; after a no, or elsewhere, raise BadParameter."""
    from llq_format.exporting.calibration import LOSSES  # noqa: PLC0415  # only for exports

    if on_terminal():
        for method, loss in LOSSES.items():
            print_line(stderr(), f"{method:<5} {_cost(expected, method, loss)}", lead="  ")
        if typer.confirm(f"Export with {expected.method}?", err=True):
            return
    costs = "; ".join(f"{method}: {_cost(expected, method, loss)}" for method, loss in LOSSES.items())
    raise typer.BadParameter(
        f"the default, {expected.method}, takes about {duration(expected.seconds())} on this machine: "
        f"pass --yes to accept this, or choose a method. {costs}",
        param_hint="'--method'",
    )


def on_terminal() -> bool:
    """Return whether a question reaches a person who can answer it."""
    return sys.stdin.isatty() and stderr().is_terminal


def _cost(expected: "ExpectedTime", method: str, loss: int) -> str:
    """Return the expected time and the loss of a method."""
    return f"about {duration(expected.seconds(method))}, perplexity of SmolLM2-135M +{loss} %"
