"""A runtime behind a command: one process for the whole run, JSON lines on its standard input and output.

A process that hangs, dies or breaks the protocol is ended, the request is counted against it, and the next
request starts a new one. README.md describes the protocol, `protocol/` holds the schema of each message.
"""

import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance import arrays
from conformance.adapter import BrokenAdapter, Declined, Info, NoAnswerError, Verdict
from conformance.messages import Message
from conformance.process import Process

PROTOCOL_VERSION = 1

STARTUP = 4
"""The handshake may take so many times as long as a request: first an interpreter has to start."""

PATIENCE = 2
"""Seconds in which a process may leave after `bye`."""


class JsonLines:
    """The runtime that a command line starts."""

    def __init__(self, command: str, timeout: float = 30) -> None:
        """Keep the command; the process starts with the first question."""
        self.command = shlex.split(command)
        self.timeout = timeout
        self._process: Process | None = None
        self._greeting: Message | None = None
        self._requests = 0
        self._outputs = tempfile.TemporaryDirectory(prefix="llq-conformance-")

    @property
    def capabilities(self) -> frozenset[str]:
        """What the adapter claimed in its handshake."""
        return frozenset(self._hello["capabilities"])

    @property
    def info(self) -> Info:
        """Who the adapter said that the runtime is."""
        return Info(self._hello["name"], self._hello["version"], self._hello["language"])

    def decode(self, package: Path, tensor: str) -> NDArray[np.float32]:
        """Return the weights of one tensor, read from the file that the adapter wrote."""
        output = Path(self._outputs.name) / f"{self._requests + 1}.npy"
        try:
            self._ask(op="decode", package=str(package), tensor=tensor, output=str(output))
            return arrays.load(output)
        finally:
            output.unlink(missing_ok=True)

    def validate(self, package: Path) -> Verdict:
        """Say whether the package conforms."""
        answer = self._ask(op="validate", package=str(package))
        return Verdict(tuple(answer["rules"]), tuple(answer.get("warnings", ())), refused=not answer["valid"])

    def close(self) -> None:
        """Say good-bye, and remove the files."""
        if self._process:
            self._process.tell({"op": "bye"})
            self._process.end(PATIENCE)
            self._process = None
        self._outputs.cleanup()

    @property
    def _hello(self) -> Message:
        """Return the first answer of the adapter's first process."""
        if self._greeting is None:
            with self._running():
                pass
        return self._greeting or {}

    def _ask(self, **request: Any) -> Message:
        """Send a request and return its answer; an answer that tells of an error raises `Errored`."""
        with self._running() as process:
            self._requests += 1
            answer = process.ask(request | {"id": self._requests}, self.timeout)
            if answer["id"] != self._requests:
                raise BrokenAdapter(f"it answered request {answer['id']} when asked request {self._requests}")
        if not answer["ok"]:
            raise Declined(answer["error"], process.last_words())
        return answer

    @contextmanager
    def _running(self) -> Iterator[Process]:
        """Provide the process; where a question to it fails, end it, for its state is unknown."""
        try:
            if self._process is None:
                self._process = Process(self.command)
                self._greet(self._process)
            yield self._process
        except NoAnswerError as error:
            if self._process:
                self._process.end()
                error.detail = error.detail or self._process.last_words()
                self._process = None
            raise

    def _greet(self, process: Process) -> None:
        """Do the handshake of a new process; whatever fails before its end is not the runtime's fault."""
        try:
            self._greeting = process.ask(
                {"op": "hello", "protocol": PROTOCOL_VERSION}, STARTUP * self.timeout
            )
        except BrokenAdapter:
            raise
        except NoAnswerError as error:
            raise BrokenAdapter(str(error), error.detail) from error
