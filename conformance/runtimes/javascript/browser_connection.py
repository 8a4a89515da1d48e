"""A page that speaks the protocol, as `process.Process` is a process that does: in time or not at all.

The suite may have started the browser, and then ends it; or it waits for a page that somebody opens.
"""

import json
import os
import signal
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty

from ...core.runtime import BrokenAdapter, Errored, TimedOut
from .. import messages
from ..messages import Message, MessageError
from ..process import LONGEST_LINE, POLL, STDERR_LINES, STDERR_WIDTH
from . import launchers
from .browser_server import BrowserServer, WebSocketConnection

FOLDERS = {"package", "plan"}
"""Members of requests that name directories to read."""

FILES = ("input", "output", "scales")
"""Members of requests that name files."""


class BrowserConnection:
    """One page of a browser, connected to the server."""

    def __init__(self, server: BrowserServer, command: "BrowserCommand | None", timeout: float) -> None:
        """Open the page, or wait until a person opens it, up to `timeout` seconds."""
        self._server = server
        self._words: deque[str] = deque(maxlen=STDERR_LINES)
        self._browser = command.start(server.url) if command else None
        self._connection = self._connected(timeout)

    def ask(self, request: Message, timeout: float) -> Message:
        """Send a request and return its response, checked against its schema."""
        op = request["op"]
        if op != "hello":
            self._words.clear()
        while not self._connection.received.empty():
            if (unasked := self._connection.received.get_nowait()) and not self._note(unasked):
                raise BrokenAdapter(f"the page sent {_excerpt(unasked)} without a request")
        messages.encode(request)  # as its schema says, before addresses take the place of paths
        addresses = dict(request)
        for key in FOLDERS & request.keys():
            addresses[key] = self._server.package(request[key])
        with self._server.exchange({key: request[key] for key in FILES if key in request}) as files:
            self._connection.send(json.dumps(addresses | files))
            text = self._answer(op, timeout)
        if text is None:
            raise Errored(f"the page was closed or crashed during {op!r}{self._death()}")
        if len(text) >= LONGEST_LINE:
            raise BrokenAdapter(f"its response to {op!r} is longer than {LONGEST_LINE} characters")
        try:
            return messages.decode(text.encode(), op)
        except MessageError as error:
            raise BrokenAdapter(f"a response does not match its schema: {error}") from error
        except ValueError:
            raise BrokenAdapter(
                f"the page sent {_excerpt(text)}, which is not a message of the protocol"
            ) from None

    def tell(self, message: Message) -> None:
        """Send a message."""
        self._connection.send(json.dumps(message))

    def end(self, grace: float = 0) -> None:
        """Close the connection, and the browser if the suite started it."""
        self._connection.close()
        if self._browser:
            self._browser.end(grace)

    def last_words(self) -> str:
        """Return the console messages of the page since the last request."""
        return (
            "\n".join(["console of the page:", *(f"  {line}" for line in self._words)]) if self._words else ""
        )

    def _connected(self, timeout: float) -> WebSocketConnection:
        deadline = time.monotonic() + timeout
        while (remaining := deadline - time.monotonic()) > 0:
            if connection := self._server.connection(min(remaining, POLL)):
                return connection
            if self._browser and self._browser.gone:
                break
        output = self._browser.last_words() if self._browser else ""
        opener = self._browser.name if self._browser else "anybody"
        if self._browser:
            self._browser.end(0)
        raise BrokenAdapter(f"the page was not opened by {opener} within {timeout:g} s", output)

    def _answer(self, op: str, timeout: float) -> str | None:
        deadline = time.monotonic() + timeout
        while (remaining := deadline - time.monotonic()) > 0:
            try:
                text = self._connection.received.get(timeout=min(remaining, POLL))
            except Empty:
                if self._browser and self._browser.gone:
                    return None
                continue
            if text is None or not self._note(text):
                return text
        raise TimedOut(f"no answer to {op!r} within {timeout:g} s")

    def _note(self, text: str) -> bool:
        """Store a message of the console, and return whether it was one."""
        with suppress(ValueError):
            message = json.loads(text)
            if isinstance(message, dict) and message.keys() == {"log"}:
                line = str(message["log"])[:STDERR_WIDTH]
                self._words.append("".join(c if c.isprintable() else "?" for c in line))
                return True
        return False

    def _death(self) -> str:
        return self._browser.death() if self._browser else ""


class BrowserCommand:
    """How a browser is started."""

    def __init__(
        self,
        kind: str,
        program: str,
        adapter: str | None,
        flags: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Keep kind, program and adapter, further flags, and further environment variables."""
        self.kind, self.program, self.adapter = kind, program, adapter
        self.flags, self.environment = tuple(flags), dict(environment or {})

    def start(self, url: str) -> "Browser":
        """Start it, with a new profile."""
        return Browser(self, url)


class Browser:
    """A browser that the suite started, in a session of its own: all its processes end with it."""

    def __init__(self, command: BrowserCommand, url: str) -> None:
        """Start the browser."""
        self.name = command.kind
        # a process of the browser may still write when its folder is removed
        self._profile = tempfile.TemporaryDirectory(prefix="llq-browser-", ignore_cleanup_errors=True)
        folder = Path(self._profile.name)
        profile = folder / "profile"
        profile.mkdir()
        self._stderr = folder / "stderr"
        arguments = launchers.command(command, profile, url)
        with self._stderr.open("wb") as stderr:
            self._popen = subprocess.Popen(  # noqa: S603 - a browser that was found, with our own page
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
                # firefox locks and caches in its home
                env=os.environ | {"HOME": self._profile.name} | command.environment,
            )

    @property
    def gone(self) -> bool:
        """Whether the process has ended."""
        return self._popen.poll() is not None

    def death(self) -> str:
        """Return how the process ended, if it has."""
        status = self._popen.poll()
        if status is None:
            return ""
        return f"; {self.name} was killed by signal {-status}" if status < 0 else f"; {self.name} exited"

    def last_words(self) -> str:
        """Return the end of its standard error."""
        lines = self._stderr.read_text("utf-8", "replace").splitlines()[-STDERR_LINES:]
        return "\n".join(
            ["the last lines of standard error:", *(f"  {line[:STDERR_WIDTH]}" for line in lines)]
        )

    def end(self, grace: float) -> None:
        """End it, after up to `grace` seconds in which it may exit by itself, and remove its profile."""
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGTERM if grace else signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(grace or 1)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        self._profile.cleanup()


def _excerpt(text: str) -> str:
    return repr(text[:80])
