"""A process with limits of time and memory, in which code of strangers is executed.

One process serves all calls, because its start takes longer than most of them. It is started when it is first
needed, killed at a deadline, and started again by the next call.
"""

import atexit
import os
import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from llq_format.sandbox.limits import CPU_SECONDS, MEMORY_BYTES, WALL_SECONDS

HEADER = 8
"""Bytes of the length that precedes each request and each answer."""

_CODE = "from llq_format.sandbox.worker import serve; serve()"
_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
"""One thread: each further one needs address space, which is limited."""


class LimitError(Exception):
    """A call that exceeded a limit: `time`, `memory`, or `crash` if its process ended by itself."""

    def __init__(self, limit: str, scale: float = 1.0) -> None:
        """Make the error of a call whose times were multiplied by `scale`."""
        texts = {
            "time": f"it needs more than {CPU_SECONDS * scale:.0f} s",
            "memory": f"it needs more than {MEMORY_BYTES >> 20} MiB of memory",
            "crash": "it ended the process in which it ran, as a lack of memory does",
        }
        super().__init__(texts[limit])
        self.limit = limit


class SandboxProcess:
    """The process; calls of several threads are done one after another."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._lock = threading.Lock()
        atexit.register(self.close)

    def call(self, function: str, *arguments: Any, scale: float = 1.0) -> Any:
        """Return the result of `module:function`; arguments and result are pickled.

        scale: factor of the limits of time.
        Raises what the function raises, and LimitError if the call exceeds a limit.
        """
        request = pickle.dumps((function, arguments, CPU_SECONDS * scale, Path.cwd()))
        with self._lock:
            is_result, outcome = pickle.loads(self._exchange(request, scale))  # noqa: S301  # of our own process
        if is_result:
            return outcome
        if isinstance(outcome, MemoryError):
            raise LimitError("memory")
        raise outcome

    def close(self) -> None:
        """End the process, if it runs."""
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():
            process.kill()
            process.communicate()

    def _exchange(self, request: bytes, scale: float) -> bytes:
        """Return the answer to a request; raises LimitError if the process ends before it answers."""
        process = self._running()
        assert process.stdin is not None  # noqa: S101  # pipes
        assert process.stdout is not None  # noqa: S101
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            process.kill()

        timer = threading.Timer(WALL_SECONDS * scale, expire)
        timer.daemon = True
        timer.start()
        answer = b""
        try:
            process.stdin.write(len(request).to_bytes(HEADER, "little") + request)
            process.stdin.flush()
            length = int.from_bytes(process.stdout.read(HEADER), "little")
            answer = process.stdout.read(length)
        except BrokenPipeError:
            pass  # it ended: its status says why
        except BaseException:
            self.close()  # the answer would be that to the next request
            raise
        finally:
            timer.cancel()
        if answer:
            return answer
        self.close()
        is_late = expired.is_set() or process.returncode == -getattr(signal, "SIGPROF", 0)
        raise LimitError("time" if is_late else "crash", scale)

    def _running(self) -> "subprocess.Popen[bytes]":
        """Return the process; a fork of this process starts its own."""
        if self._process is not None and self._owner == os.getpid() and self._process.poll() is None:
            return self._process
        self.close()
        path = os.pathsep.join(part for part in sys.path if part)
        self._owner = os.getpid()
        self._process = subprocess.Popen(  # noqa: S603  # this interpreter
            [sys.executable, "-c", _CODE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **_ENVIRONMENT, "PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C is answered by this process
        )
        return self._process


SANDBOX = SandboxProcess()
"""The process of this process."""
