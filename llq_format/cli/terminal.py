"""What reaches the terminal: text made safe and folded to its width, JSON, and a progress bar on stderr.

Colour and folding are for terminals alone; a pipe or file gets plain, unfolded lines. Nothing here interprets
rich's markup, and `printable` stands between text from files and the screen.
"""

import json
import sys
import textwrap
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import IO, Any, Literal, Self

from rich.console import Console
from rich.table import Table
from rich.text import Text

_UNFOLDED = 1_000_000  # columns of what is no terminal


def stdout() -> Console:
    """Return the console of what was asked for."""
    return _console(sys.stdout)


def stderr() -> Console:
    """Return the console of everything else."""
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
    """Return text with every character that a terminal would obey, or not show, as its escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def print_line(console: Console, text: str = "", style: str = "", *, lead: str = "") -> None:
    """Print `lead` and text; on a terminal the text is folded at words, below its own beginning."""
    safe, lead = printable(text), printable(lead)
    if console.width < _UNFOLDED:
        lines = textwrap.wrap(safe, max(20, console.width - len(lead)), break_on_hyphens=False) or [""]
        safe = f"\n{' ' * len(lead)}".join(lines)
    console.print(Text.assemble(lead, (safe, style)), soft_wrap=True)


def print_heading(console: Console, text: str) -> None:
    """Print the title of a section, an empty line before it."""
    console.print()
    print_line(console, text, "bold")


def print_fields(console: Console, fields: Iterable[tuple[str, str]], indent: int = 2) -> None:
    """Print labelled texts, one a line, labels in a column."""
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
    """Print columns, those numbered in `left` flush left, the others flush right."""
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
    """A bar of bytes or layers on stderr, only if that is a terminal; may be advanced from any thread."""

    def __init__(self, unit: Literal["bytes", "layers"] = "bytes") -> None:
        console = stderr()
        self._bar: Any = None
        if console.is_terminal:
            from rich.progress import (  # noqa: PLC0415  # only where there is something to show
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
            period = 30 if unit == "bytes" else 600  # seconds that the speed is a mean of: a layer takes long
            self._bar = Progress(*columns, console=console, transient=True, speed_estimate_period=period)
            self._task: Any = None

    def start(self, total: int, description: str) -> None:
        """Begin: so many bytes, or layers, of that."""
        if self._bar is not None:
            self._task = self._bar.add_task(printable(description), total=total)

    def advance(self, count: int) -> None:
        """Note that so many more are done."""
        if self._bar is not None:
            self._bar.advance(self._task, count)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
