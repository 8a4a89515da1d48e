"""A runtime that a command starts: one process for the whole run, which exchanges JSON lines.

A process that hangs, dies or breaks the protocol is ended, the request is counted against it, and the next
request starts a new one. README.md describes the protocol, `protocol/` holds the schema of each message.
"""

import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.api_scenario import Observations, Scenario
from ..core.runtime import (
    Adjustment,
    BrokenAdapter,
    Declined,
    Format,
    Info,
    NoAnswerError,
    Reals,
    Rounded,
    Sampling,
    Tokenized,
    Unavailable,
    Verdict,
)
from . import answer_sizes, arrays
from .fault_files import FaultFiles
from .fault_server import FaultServer
from .messages import Message, Peer
from .process import Process

PROTOCOL_VERSION = 1

STARTUP = 4
"""Time limit of the handshake, as a multiple of the limit of a request: an interpreter must start first."""

LONGEST_ERROR = 300
"""Maximum length of an error message, in characters."""

GRACE = 2
"""Seconds in which a process may leave after `bye`."""


class CommandRuntime:
    """The runtime that a command line starts."""

    def __init__(
        self, command: str, timeout: float = 30, environment: Mapping[str, str] | None = None
    ) -> None:
        """Keep the command; the process starts with the first question.

        environment: further environment variables of the process.
        """
        self.command = shlex.split(command)
        self.timeout = timeout
        self._environment = environment
        self._process: Peer | None = None
        self._greeting: Message | None = None
        self._requests = 0
        self._fault_server: FaultServer | None = None
        self._outputs = tempfile.TemporaryDirectory(prefix="llq-conformance-")

    @property
    def capabilities(self) -> frozenset[str]:
        """The capabilities that the adapter claimed in its handshake."""
        return frozenset(self._hello["capabilities"])

    @property
    def info(self) -> Info:
        """What the runtime declares in the handshake."""
        hello = self._hello
        extensions = tuple(hello.get("extensions", ()))
        kv_cache, device = hello.get("kv_cache", ""), hello.get("device", "")
        return Info(hello["name"], hello["version"], hello["language"], kv_cache, extensions, device)

    def decode(self, package: Path, tensor: str) -> NDArray[np.float32]:
        """Return the weights of one tensor, read from the file that the adapter wrote."""
        with self._files() as files:
            output = files / "output.npy"
            self._ask(op="decode", package=str(package), tensor=tensor, output=str(output))
            return arrays.load(output, arrays.FLOAT32, expected=answer_sizes.weights(package, tensor))

    def validate(self, package: Path) -> Verdict:
        """Return whether the package conforms."""
        answer = self._ask(op="validate", package=str(package))
        return Verdict(tuple(answer["rules"]), tuple(answer.get("warnings", ())), refused=not answer["valid"])

    def activations(self, x: NDArray[np.float32], form: Format) -> Rounded:
        """Round vectors; they go to the adapter, and come back, in files."""
        with self._files() as files:
            output, scales = files / "output.npy", files / "scales.npy"
            paths = {"input": _saved(x, files), "output": str(output)}
            if form == "int8":
                paths["scales"] = str(scales)
            self._ask(op="activations", format=form, **paths)
            values = arrays.load(output, arrays.FLOAT32, expected=x.size)
            if form != "int8":
                return Rounded(values, None)
            return Rounded(values, arrays.load(scales, arrays.FLOATS, "scales", expected=len(x)))

    def matvec(self, package: Path, tensor: str, form: Format, x: NDArray[np.float32]) -> Reals:
        """Multiply rounded vectors by a matrix; they go to the adapter in a file, the results come in one."""
        with self._files() as files:
            output = files / "output.npy"
            paths = {"package": str(package), "input": _saved(x, files), "output": str(output)}
            self._ask(op="matvec", tensor=tensor, format=form, **paths)
            return arrays.load(output, arrays.FLOATS, expected=answer_sizes.products(package, tensor, len(x)))

    def logits(self, package: Path, tokens: Sequence[int], splits: Sequence[int]) -> Reals:
        """Compute a new sequence, `splits` tokens at a time; the logits come in a file."""
        with self._files() as files:
            output = files / "output.npy"
            paths = {"package": str(package), "output": str(output)}
            self._ask(op="logits", tokens=list(tokens), splits=list(splits), **paths)
            return arrays.load(output, arrays.FLOATS, expected=answer_sizes.logits(package, len(tokens)))

    def trace(self, package: Path, tokens: Sequence[int], splits: Sequence[int]) -> Mapping[str, Reals]:
        """Compute a new sequence; the tensors come in one file, the response has their names and shapes."""
        with self._files() as files:
            output = files / "output.npy"
            paths = {"package": str(package), "output": str(output)}
            answer = self._ask(op="trace", tokens=list(tokens), splits=list(splits), **paths)
            return arrays.separated(arrays.load(output, arrays.FLOATS), answer["tensors"])

    def generate(self, package: Path, tokens: Sequence[int], max_tokens: int) -> Sequence[int]:
        """Return the tokens that follow a prompt."""
        answer = self._ask(op="generate", package=str(package), tokens=list(tokens), max_tokens=max_tokens)
        return tuple(answer["tokens"])

    def sample(self, logits: NDArray[np.float32], sampling: Sampling, count: int) -> Sequence[int] | None:
        """Draw tokens from logits, which go to the adapter in a file; None is a refusal."""
        with self._files() as files:
            parameters = {**vars(sampling), "seed": str(sampling.seed)}
            answer = self._ask(op="sample", input=_saved(logits, files), count=count, **parameters)
            return None if answer.get("refused") else tuple(answer["tokens"])

    def adjust(
        self, logits: NDArray[np.float32], sampling: Sampling, adjustment: Adjustment, count: int
    ) -> Sequence[int] | None:
        """Draw tokens from adjusted logits; None is a refusal."""
        with self._files() as files:
            parameters: Message = {**vars(sampling), **vars(adjustment), "seed": str(sampling.seed)}
            parameters |= {
                "logit_bias": [list(pair) for pair in adjustment.logit_bias],
                "sequence": list(adjustment.sequence),
                "mask": None if adjustment.mask is None else list(adjustment.mask),
            }
            answer = self._ask(op="adjust", input=_saved(logits, files), count=count, **parameters)
            return None if answer.get("refused") else tuple(answer["tokens"])

    def tokenize(self, package: Path, text: str) -> Tokenized:
        """Encode a prompt, then detokenize the ids."""
        answer = self._ask(op="tokenize", package=str(package), text=text)
        return Tokenized(tuple(answer["ids"]), answer["decoded"])

    def api(self, scenario: Scenario) -> Observations:
        """Make calls of the JavaScript interface, on files that a server of the suite gives."""
        with self._offered(scenario) as (url, files):
            answer = self._ask(op="api", url=url, steps=scenario.steps_for_adapter())
            hanging = files.settled()
            return Observations(answer["observed"], tuple(files.log), hanging)

    def close(self) -> None:
        """Say good-bye, and remove the files."""
        if self._process:
            self._process.tell({"op": "bye"})
            self._process.end(GRACE)
            self._process = None
        if self._fault_server:
            self._fault_server.close()
            self._fault_server = None
        self._outputs.cleanup()

    def _offered(self, scenario: Scenario) -> AbstractContextManager[tuple[str, FaultFiles]]:
        """Provide the address of a scenario's files, and who knows what was asked for."""
        if self._fault_server is None:
            self._fault_server = FaultServer()
        return self._fault_server.offered(scenario)

    @property
    def _hello(self) -> Message:
        """Return the first answer of the adapter's first process."""
        if self._greeting is None:
            with self._active_process():
                pass
        return self._greeting or {}

    @contextmanager
    def _files(self) -> Iterator[Path]:
        """Provide a directory for the files of one request.

        Raises BrokenAdapter if the adapter deletes the directory; the next request gets a new one.
        """
        Path(self._outputs.name).mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._outputs.name, ignore_cleanup_errors=True) as name:
            files = Path(name)
            try:
                yield files
            except NoAnswerError as error:
                if files.is_dir():
                    raise
                raise _deleted_directory(error.detail) from error
            if not files.is_dir():
                raise _deleted_directory()

    def _ask(self, **request: Any) -> Message:
        """Send a request and return its answer; raise `Declined` if the answer reports an error."""
        with self._active_process() as process:
            self._requests += 1
            limit = self.timeout * self._hello.get("timeout_scale", 1)
            answer = process.ask(request | {"id": self._requests}, limit)
            if answer["id"] != self._requests:
                raise BrokenAdapter(
                    f"it answered request {answer['id']}, expected an answer to request {self._requests}"
                )
        if not answer["ok"]:
            message = " ".join(answer["error"].split()) or "an error without a message"
            message = message if len(message) <= LONGEST_ERROR else f"{message[:LONGEST_ERROR]} …"
            raise Declined(message, process.last_words())
        return answer

    @contextmanager
    def _active_process(self) -> Iterator[Peer]:
        """Provide the process; where a question to it fails, end it, for its state is unknown."""
        try:
            if self._process is None:
                self._process = self._start()
                self._greet(self._process)
            yield self._process
        except NoAnswerError as error:
            if self._process:
                self._process.end()
                error.detail = error.detail or self._process.last_words()
                self._process = None
            raise

    def _start(self) -> Peer:
        """Start what answers."""
        return Process(self.command, self._environment)

    def _greet(self, process: Peer) -> None:
        """Do the handshake of a new process; a failure before its end means a broken adapter."""
        try:
            greeting = process.ask({"op": "hello", "protocol": PROTOCOL_VERSION}, STARTUP * self.timeout)
        except BrokenAdapter:
            raise
        except NoAnswerError as error:
            raise BrokenAdapter(str(error), error.detail) from error
        if greeting.get("ok") is False:
            raise Unavailable(" ".join(greeting["error"].split()))
        self._greeting = greeting


def _deleted_directory(detail: str = "") -> BrokenAdapter:
    return BrokenAdapter("it deleted the directory for the files of the request", detail)


def _saved(x: NDArray[np.float32], files: Path) -> str:
    """Write the input of a request and return its path."""
    np.save(files / "input.npy", x.astype("<f4"))
    return str(files / "input.npy")
