"""Output: text that is safe and folded to the width of the terminal, JSON, and a progress bar on stderr.

Only terminals get colour and folded lines; pipes and files get plain, unfolded lines. The markup of rich is
disabled, and `printable` escapes text from files.
"""

import json
import sys
import textwrap
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import IO, Any, Literal, Self

from rich.console import Console
from rich.table import Table
from rich.text import Text

_UNFOLDED = 1_000_000  # columns of an output that is not a terminal

PERIOD = 10.0
"""Seconds between two lines of progress on an output that is not a terminal."""


def stdout() -> Console:
    """Return the console for results."""
    return _console(sys.stdout)


def stderr() -> Console:
    """Return the console for messages."""
    return _console(sys.stderr)


def _console(stream: IO[str]) -> Console:
    terminal = stream.isatty()
    return Console(
        file=stream,
        force_terminal=terminal,
        width=None if terminal else _UNFOLDED,
        markup=False,
        emoji=False,
        highlight=False,
    )


def printable(text: str) -> str:
    """Return text in which control characters and unprintable characters are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def print_line(console: Console, text: str = "", style: str = "", *, lead: str = "") -> None:
    """Print `lead` and text; on a terminal, fold the text at spaces and indent it to its start."""
    safe, lead = printable(text), printable(lead)
    if console.width < _UNFOLDED:
        lines = textwrap.wrap(safe, max(20, console.width - len(lead)), break_on_hyphens=False) or [""]
        safe = f"\n{' ' * len(lead)}".join(lines)
    console.print(Text.assemble(lead, (safe, style)), soft_wrap=True)


def print_heading(console: Console, text: str) -> None:
    """Print an empty line and the title of a section."""
    console.print()
    print_line(console, text, "bold")


def print_fields(console: Console, fields: Iterable[tuple[str, str]], indent: int = 2) -> None:
    """Print labelled texts, one per line, with the labels in a column."""
    items = list(fields)
    width = max((len(label) for label, _ in items), default=0)
    for label, text in items:
        print_line(console, text, lead=f"{'':{indent}}{label:<{width}}  ")


def print_table(
    console: Console,
    head: Sequence[str],
    rows: Iterable[Sequence[object]],
    left_columns: Sequence[int] = (0,),
) -> None:
    """Print a table: the columns in `left_columns` are left-aligned, the others right-aligned."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for number, name in enumerate(head):
        justify: Literal["left", "right"] = "left" if number in left_columns else "right"
        table.add_column(Text(name), justify=justify, overflow="fold", no_wrap=False)
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    with console.capture() as captured:
        console.print(table, width=console.width - 2)
    for line in captured.get().splitlines():
        console.file.write(f"  {line.rstrip()}\n")


def _cell(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3f}" if isinstance(value, float) else printable(str(value))


def print_json(value: Any) -> None:
    """Print a JSON value on stdout, in ASCII without control characters."""
    text = json.dumps(value, indent=2, allow_nan=False).replace("\x7f", "\\u007f")
    sys.stdout.write(text + "\n")


class ProgressBar:
    """Progress of bytes or layers on stderr; any thread may advance it.

    A terminal shows a bar. Other outputs get a line every `PERIOD` seconds.
    """

    def __init__(self, unit: Literal["bytes", "layers"] = "bytes") -> None:
        console = stderr()
        self._bar: Any = None
        self._lines = None if console.is_terminal else _ProgressLines(console, unit)
        if console.is_terminal:
            from rich.progress import (  # noqa: PLC0415  # only for terminals
                BarColumn,
                DownloadColumn,
                MofNCompleteColumn,
                Progress,
                TextColumn,
                TimeRemainingColumn,
            )

            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                DownloadColumn() if unit == "bytes" else MofNCompleteColumn(),
                TimeRemainingColumn(),
            )
            period = (
                30 if unit == "bytes" else 600
            )  # seconds over which the speed is averaged: a layer takes long
            self._bar = Progress(*columns, console=console, transient=True, speed_estimate_period=period)
            self._task: Any = None

    def start(self, total: int, description: str) -> None:
        """Start the bar with a total number of bytes or layers."""
        if self._lines is not None:
            self._lines.start(total, description)
        if self._bar is not None:
            self._task = self._bar.add_task(printable(description), total=total)

    def advance(self, count: int) -> None:
        """Add to the number of finished bytes or layers."""
        if self._lines is not None:
            self._lines.advance(count)
        if self._bar is not None:
            self._bar.advance(self._task, count)

    def __enter__(self) -> Self:
        if self._lines is not None:
            self._lines.open()
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lines is not None:
            self._lines.close()
        if self._bar is not None:
            self._bar.stop()


class _ProgressLines:
    """Lines of progress that a thread of its own prints, even while a single step takes long."""

    def __init__(self, console: Console, unit: Literal["bytes", "layers"]) -> None:
        self._console, self._unit = console, unit
        self._total, self._done, self._description = 0, 0, ""
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._begin = time.monotonic()
        self._thread = threading.Thread(target=self._print, daemon=True)

    def open(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def start(self, total: int, description: str) -> None:
        with self._lock:
            self._total, self._done, self._description = total, 0, description

    def advance(self, count: int) -> None:
        with self._lock:
            self._done += count

    def _print(self) -> None:
        while not self._ended.wait(PERIOD):
            with self._lock:
                text = self._text()
            with suppress(OSError, ValueError):  # nobody reads stderr any more
                print_line(self._console, text, lead="llq: ")
                self._console.file.flush()

    def _text(self) -> str:
        seconds = f"{time.monotonic() - self._begin:,.0f} s"
        if not self._total:
            return f"working, {seconds}"
        mega = 1_000_000
        amounts = (
            f"{self._done / mega:,.1f} of {self._total / mega:,.1f} MB"
            if self._unit == "bytes"
            else f"step {self._done:,} of {self._total:,}"
        )
        return f"{self._description}: {amounts} ({100 * self._done // self._total} %), {seconds}"
