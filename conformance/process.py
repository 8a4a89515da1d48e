"""An adapter's process: a request goes in as a line, the response comes out as a line, in time or not at all.

Its two outputs are read by threads, so that nothing that it does can block the suite.
"""

import os
import shlex
import signal
import subprocess
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, Queue
from threading import Thread
from typing import IO

from . import messages
from .adapter import BrokenAdapter, Errored, TimedOut
from .messages import Message, MessageError

LONGEST_LINE = 1 << 20
STDERR_LINES = 15


class Process:
    """One process that runs the adapter's command, in a session of its own: its children end with it."""

    def __init__(self, command: list[str]) -> None:
        """Start the process."""
        try:
            self._popen = subprocess.Popen(  # noqa: S603 - to run the user's command is the purpose
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise BrokenAdapter(f"{shlex.join(command)!r} cannot be started: {error}") from error
        self._lines: Queue[bytes] = Queue()
        self._stderr: deque[str] = deque(maxlen=STDERR_LINES)
        readers = ((self._popen.stdout, self._keep_answer), (self._popen.stderr, self._keep_error))
        self._threads = [Thread(target=_read, args=reader, daemon=True) for reader in readers]
        for thread in self._threads:
            thread.start()

    def ask(self, request: Message, timeout: float) -> Message:
        """Send a request and return its response, which is as its schema says."""
        op = request["op"]
        if op != "hello":  # what was written at the start belongs to the handshake
            self._stderr.clear()
        self.tell(request)
        try:
            line = self._lines.get(timeout=timeout)
        except Empty:
            raise TimedOut(
                f"no answer to {op!r} within {timeout:g} s; was standard output flushed?"
            ) from None
        if not line:
            raise Errored(f"the process ended during {op!r}, {self._death()}")
        try:
            return messages.decode(line, op)
        except MessageError as error:
            raise BrokenAdapter(f"a response is not as its schema says: {error}") from error
        except ValueError:
            shown = line[:80].decode(errors="replace").rstrip()
            message = (
                f"it wrote {shown!r} to standard output, which is for the protocol; print to standard error"
            )
            raise BrokenAdapter(message) from None

    def tell(self, message: Message) -> None:
        """Send a message; where nobody is left to read it, the end of the output will tell."""
        stdin = self._popen.stdin
        with suppress(OSError, ValueError):
            if stdin:
                stdin.write(messages.encode(message))
                stdin.flush()

    def end(self, patience: float = 0) -> None:
        """End the process, after so many seconds in which it may leave by itself, and free its pipes."""
        with suppress(OSError):
            if self._popen.stdin:
                self._popen.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(patience)
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        for thread in self._threads:
            thread.join(timeout=5)

    def last_words(self) -> str:
        """Return the end of what it wrote to standard error since the last request."""
        return (
            "\n".join(["standard error ended with:", *(f"  {line}" for line in self._stderr)])
            if self._stderr
            else ""
        )

    def _death(self) -> str:
        try:
            status = self._popen.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return "closing its standard output"
        return f"killed by signal {-status}" if status < 0 else f"exit status {status}"

    def _keep_answer(self, line: bytes) -> None:
        if line.strip() or not line:
            self._lines.put(line)

    def _keep_error(self, line: bytes) -> None:
        if line:
            self._stderr.append(line.decode(errors="replace").rstrip())


def _read(stream: IO[bytes], keep: Callable[[bytes], None]) -> None:
    """Hand over each line, and at the end an empty one."""
    with stream:
        while line := stream.readline(LONGEST_LINE):
            keep(line)
    keep(b"")
