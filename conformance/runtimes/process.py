"""An adapter's process: a request goes in as a line, the response comes out as a line, in time or not at all.

Threads write its input and read its two outputs, so nothing that it does, or leaves undone, can block the
suite or fill the memory: what waits to be read is bounded, and the rest stays in the pipe.
"""

import os
import shlex
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import Empty, Full, Queue, SimpleQueue
from threading import Event, Thread
from typing import IO

from ..core.runtime import BrokenAdapter, Errored, TimedOut
from . import messages
from .messages import Message, MessageError

LONGEST_LINE = 1 << 20
"""Bytes of a response; numbers in bulk go into files."""

UNREAD_LINES = 16
"""Number of lines of standard output that are read ahead."""

STDERR_LINES = 15
STDERR_WIDTH = 300
"""What is kept of standard error: the last lines, in characters of each."""

LEAVING = 5
"""Seconds in which a process whose output has ended may end too, and its threads after it."""

POLL = 0.2
"""Seconds between two looks whether the process is still there."""


class Process:
    """One process that runs the adapter's command, in a session of its own: its children end with it."""

    def __init__(self, command: list[str], environment: Mapping[str, str] | None = None) -> None:
        """Start the process, with further environment variables."""
        try:
            self._popen = subprocess.Popen(  # noqa: S603 - to run the user's command is the purpose
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                env={**os.environ, **(environment or {})},
            )
        except OSError as error:
            raise BrokenAdapter(f"{shlex.join(command)!r} cannot be started: {error}") from error
        self._lines: Queue[bytes] = Queue(UNREAD_LINES)
        self._requests: SimpleQueue[bytes] = SimpleQueue()
        self._ended = Event()
        self._stderr: deque[str] = deque(maxlen=STDERR_LINES)
        readers = ((self._popen.stdout, self._keep_answer), (self._popen.stderr, self._keep_error))
        self._threads = [Thread(target=_read, args=reader, daemon=True) for reader in readers]
        self._threads.append(Thread(target=_write, args=(self._popen.stdin, self._requests), daemon=True))
        for thread in self._threads:
            thread.start()

    def ask(self, request: Message, timeout: float) -> Message:
        """Send a request and return its response, checked against its schema."""
        op = request["op"]
        if op != "hello":  # what was written at the start belongs to the handshake
            self._stderr.clear()
        if not self._lines.empty() and (unasked := self._lines.get_nowait()):
            raise BrokenAdapter(f"it wrote {_excerpt(unasked)} to standard output without a request")
        line = self._answer(request, timeout)
        if not line:
            raise Errored(f"the process ended during {op!r}, {self._death()}")
        if len(line) >= LONGEST_LINE:
            message = f"its response to {op!r} is longer than {LONGEST_LINE} bytes: {_excerpt(line)}"
            raise BrokenAdapter(f"{message}; arrays must be written to files")
        if not line.endswith(b"\n"):
            end = f"the process ended in the middle of its answer to {op!r}, {self._death()}"
            raise Errored(f"{end}: {_excerpt(line)}")
        try:
            return messages.decode(line, op)
        except MessageError as error:
            raise BrokenAdapter(f"a response does not match its schema: {error}") from error
        except ValueError:
            message = f"it wrote {_excerpt(line)} to standard output, which is reserved for the protocol"
            raise BrokenAdapter(f"{message}; print to standard error") from None

    def tell(self, message: Message) -> None:
        """Send a message; a closed pipe is detected at the end of the output."""
        self._requests.put(messages.encode(message))

    def end(self, grace: float = 0) -> None:
        """End the process and close its pipes; it may exit by itself within `grace` seconds."""
        self._requests.put(b"")
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(grace)
        with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        self._ended.set()
        for thread in self._threads:  # a child that left the session may hold the pipes for ever
            thread.join(timeout=LEAVING)

    def last_words(self) -> str:
        """Return the end of what it wrote to standard error since the last request."""
        return (
            "\n".join(["the last lines of standard error:", *(f"  {line}" for line in self._stderr)])
            if self._stderr
            else ""
        )

    def _answer(self, request: Message, timeout: float) -> bytes:
        """Send a request and return the next line: none, once the process is gone.

        The limit begins before the request is sent. A child of the process may hold its pipe.
        """
        deadline = time.monotonic() + timeout
        self.tell(request)
        while (remaining := deadline - time.monotonic()) > 0:
            exited = self._popen.poll() is not None
            try:
                return self._lines.get(timeout=min(remaining, POLL))
            except Empty:
                if exited:
                    return b""
        raise TimedOut(
            f"no answer to {request['op']!r} within {timeout:g} s; does the adapter flush standard output?"
        )

    def _death(self) -> str:
        try:
            status = self._popen.wait(timeout=LEAVING)
        except subprocess.TimeoutExpired:
            return "closing its standard output"
        return f"killed by signal {-status}" if status < 0 else f"exit status {status}"

    def _keep_answer(self, line: bytes) -> None:
        while (line.strip() or not line) and not self._ended.is_set():
            with suppress(Full):
                self._lines.put(line, timeout=POLL)
                return

    def _keep_error(self, line: bytes) -> None:
        if line:
            text = line[: 4 * STDERR_WIDTH].decode(errors="replace").rstrip().expandtabs()
            self._stderr.append("".join(c if c.isprintable() else "?" for c in text)[:STDERR_WIDTH])


def _excerpt(line: bytes) -> str:
    """Return the beginning of a line, quoted."""
    return repr(line[:80].decode(errors="replace").rstrip())


def _write(stream: IO[bytes], requests: "SimpleQueue[bytes]") -> None:
    """Write each request, until an empty one; errors are detected at the end of the output."""
    with suppress(OSError), stream:
        while request := requests.get():
            stream.write(request)
            stream.flush()


def _read(stream: IO[bytes], keep: Callable[[bytes], None]) -> None:
    """Hand over each line, and at the end an empty one."""
    with stream:
        while line := stream.readline(LONGEST_LINE):
            keep(line)
    keep(b"")
