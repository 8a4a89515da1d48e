"""Progress of a run: one line that changes on a terminal, a line every half minute elsewhere."""

import time
from collections import Counter
from typing import TextIO

from .results import Row

_SECONDS = 30.0


class Progress:
    """Counts verdicts and shows them."""

    def __init__(self, stream: TextIO) -> None:
        """Show progress on a stream."""
        self.total = 0
        self._stream = stream
        self._on_terminal = stream.isatty()
        self._counts: Counter[str] = Counter()
        self._start = time.monotonic()
        self._shown = 0.0

    def add(self, row: Row) -> None:
        """Count a verdict."""
        self._counts[row.verdict] += 1
        if time.monotonic() - self._shown >= (0.2 if self._on_terminal else _SECONDS):
            self.show(self._text())

    def show(self, text: str) -> None:
        """Show a text in place of the previous one, or on a line of its own."""
        self._shown = time.monotonic()
        self._stream.write(f"\r\x1b[K{text}" if self._on_terminal else f"{text}\n")
        self._stream.flush()

    def end(self) -> None:
        """Show the final counts."""
        self.show(self._text())
        if self._on_terminal:
            self._stream.write("\n")

    def _text(self) -> str:
        counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(self._counts.items()))
        seconds = time.monotonic() - self._start
        return f"{self._counts.total()} of {self.total} mutants: {counts}; {seconds:.0f} s"
