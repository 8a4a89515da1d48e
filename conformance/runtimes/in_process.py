"""A runtime in this process: an object with the methods of `core.runtime.Runtime`, its failures contained."""

import operator
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.api_scenario import Observations, Scenario
from ..core.runtime import (
    CAPABILITIES,
    KV_CACHES,
    NEED_KV_CACHE,
    Adjustment,
    BrokenAdapter,
    Declined,
    Errored,
    Format,
    Info,
    Reals,
    Rounded,
    Sampling,
    TimedOut,
    Tokenized,
    Verdict,
)
from . import arrays


class InProcessRuntime:
    """Wraps a runtime: an exception becomes `Declined`, a call longer than `timeout` seconds `TimedOut`.

    The time limit needs the main thread of a POSIX process and cannot interrupt native code; `cmd:` can.
    """

    def __init__(self, runtime: Any, timeout: float = 30) -> None:
        """Wrap an object, after a look at what it claims."""
        self.runtime = runtime
        self.timeout = timeout
        try:
            self.capabilities = frozenset(runtime.capabilities)
            info = runtime.info
        except Exception as error:
            raise BrokenAdapter(f"a runtime must have `capabilities` and `info`: {error}") from error
        try:
            extensions = tuple(getattr(info, "extensions", ()))
            device = str(getattr(info, "device", ""))
            self.info = Info(info.name, info.version, info.language, info.kv_cache, extensions, device)
        except AttributeError as error:
            raise BrokenAdapter(f"its info is of type {type(info).__name__}, not an Info: {error}") from error
        if unknown := sorted(self.capabilities.difference(CAPABILITIES)):
            raise BrokenAdapter(f"it claims {', '.join(unknown)}; expected are {', '.join(CAPABILITIES)}")
        claimed = sorted(self.capabilities & NEED_KV_CACHE)
        if claimed and self.info.kv_cache not in KV_CACHES:
            expected = " or ".join(KV_CACHES)
            raise BrokenAdapter(
                f"it claims {claimed[0]}, but its info does not declare kv_cache, expected {expected}"
            )

    def decode(self, package: Path, tensor: str) -> NDArray[np.float32]:
        """Return the weights of one tensor."""
        with self._contained():
            weights = self.runtime.decode(package, tensor)
        return arrays.checked(weights, arrays.FLOAT32, "decode")

    def validate(self, package: Path) -> Verdict:
        """Return whether the package conforms."""
        with self._contained():
            verdict = self.runtime.validate(package)
        try:
            return Verdict(tuple(verdict.rules), tuple(verdict.warnings), getattr(verdict, "refused", None))
        except (AttributeError, TypeError) as error:
            raise BrokenAdapter(
                f"validate returned {type(verdict).__name__}, not a Verdict: {error}"
            ) from error

    def activations(self, x: NDArray[np.float32], form: Format) -> Rounded:
        """Round vectors."""
        with self._contained():
            rounded = self.runtime.activations(x, form)
        if not isinstance(rounded, Rounded):
            raise BrokenAdapter(f"activations returned {type(rounded).__name__}, not a Rounded")
        arrays.checked(rounded.values, arrays.FLOAT32, "activations")
        if form == "int8":
            arrays.checked(rounded.scales, arrays.FLOATS, "activations")
        return rounded

    def matvec(self, package: Path, tensor: str, form: Format, x: NDArray[np.float32]) -> Reals:
        """Multiply rounded vectors by a matrix."""
        with self._contained():
            products = self.runtime.matvec(package, tensor, form, x)
        return arrays.checked(products, arrays.FLOATS, "matvec")

    def logits(self, package: Path, tokens: Sequence[int], splits: Sequence[int]) -> Reals:
        """Compute a new sequence, `splits` tokens at a time."""
        with self._contained():
            logits = self.runtime.logits(package, tokens, splits)
        return arrays.checked(logits, arrays.FLOATS, "logits")

    def trace(self, package: Path, tokens: Sequence[int], splits: Sequence[int]) -> Mapping[str, Reals]:
        """Compute a new sequence and return intermediate results by name."""
        with self._contained():
            tensors = self.runtime.trace(package, tokens, splits)
        if not isinstance(tensors, Mapping):
            raise BrokenAdapter(f"trace returned {type(tensors).__name__}, not a mapping of names to arrays")
        return {str(name): arrays.checked(tensor, arrays.FLOATS, "trace") for name, tensor in tensors.items()}

    def generate(self, package: Path, tokens: Sequence[int], max_tokens: int) -> Sequence[int]:
        """Return the tokens that follow a prompt."""
        with self._contained():
            generated = list(self.runtime.generate(package, tokens, max_tokens))
        return _ids(generated, "generate")

    def sample(self, logits: NDArray[np.float32], sampling: Sampling, count: int) -> Sequence[int] | None:
        """Draw tokens; None is a refusal."""
        with self._contained():
            drawn = self.runtime.sample(logits, sampling, count)
            tokens = None if drawn is None else list(drawn)
        return None if tokens is None else _ids(tokens, "sample")

    def adjust(
        self, logits: NDArray[np.float32], sampling: Sampling, adjustment: Adjustment, count: int
    ) -> Sequence[int] | None:
        """Draw tokens from adjusted logits; None is a refusal."""
        with self._contained():
            drawn = self.runtime.adjust(logits, sampling, adjustment, count)
            tokens = None if drawn is None else list(drawn)
        return None if tokens is None else _ids(tokens, "adjust")

    def tokenize(self, package: Path, text: str) -> Tokenized:
        """Encode a prompt, then detokenize the ids."""
        with self._contained():
            tokenized = self.runtime.tokenize(package, text)
        if not isinstance(tokenized, Tokenized):
            raise BrokenAdapter(f"tokenize returned {type(tokenized).__name__}, not a Tokenized")
        return Tokenized(_ids(tokenized.ids, "tokenize"), tokenized.decoded)

    def api(self, scenario: Scenario) -> Observations:
        """Make calls of the interface; a runtime in this process serves the files itself."""
        with self._contained():
            observed = self.runtime.api(scenario)
        if not isinstance(observed, Observations):
            raise BrokenAdapter(f"api returned {type(observed).__name__}, not Observations")
        return observed

    def close(self) -> None:
        """Close the runtime, if it can be closed."""
        if hasattr(self.runtime, "close"):
            self.runtime.close()

    @contextmanager
    def _contained(self) -> Iterator[None]:
        try:
            with time_limit(self.timeout):
                yield
        except _Alarm:
            raise TimedOut(f"no answer within {self.timeout:g} s") from None
        except SystemExit as error:
            raise Errored(f"it exited with SystemExit: {error}", traceback.format_exc(limit=-5)) from error
        except Exception as error:
            raise Declined(f"{type(error).__name__}: {error}", traceback.format_exc(limit=-5)) from error


def _ids(values: Sequence[Any], method: str) -> tuple[int, ...]:
    """Return token ids as integers of Python."""
    try:
        return tuple(operator.index(value) for value in values)
    except TypeError as error:
        raise BrokenAdapter(f"{method} returned token ids that are not integers: {error}") from error


class _Alarm(BaseException):
    """The time limit has passed. Not an `Exception`, so that no runtime catches it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `_Alarm` in the block after this time, if the platform supports it."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise _Alarm

    previous_handler = signal.signal(signal.SIGALRM, stop)
    outer, _ = signal.setitimer(signal.ITIMER_REAL, seconds)  # pytest-timeout's, where it limits the test
    start = time.monotonic()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous_handler)
        if outer:
            signal.setitimer(signal.ITIMER_REAL, max(outer - (time.monotonic() - start), 0.001))


def load(target: str, timeout: float) -> InProcessRuntime:
    """Return the runtime at `module:attr`: an object, or a class or function without arguments making one.

    Modules are searched for in the current directory, too.
    """
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))

    def get() -> Any:
        module, _, attribute = target.partition(":")
        return getattr(import_module(module), attribute)

    return make_runtime(f"py:{target}", get, timeout)


def make_runtime(name: str, get: Callable[[], Any], timeout: float) -> InProcessRuntime:
    """Return the runtime that a function gets: an object, or what makes one."""
    try:
        target = get()
        runtime = target() if callable(target) else target
    except (Exception, SystemExit) as error:
        message = f"{name} cannot be loaded: {type(error).__name__}: {error}"
        raise BrokenAdapter(message, traceback.format_exc(limit=-5)) from error
    return InProcessRuntime(runtime, timeout)
