"""The code of the process with limits: it reads requests from its input, and writes their results."""

import os
import pickle
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from llq_format.sandbox.limits import MEMORY_BYTES
from llq_format.sandbox.process import HEADER


def serve() -> None:
    """Answer requests until the input ends."""
    _limit_memory()
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is not an answer
    while header := requests.read(HEADER):
        function, arguments, seconds, directory = pickle.loads(  # noqa: S301  # of the process that started this one
            requests.read(int.from_bytes(header, "little"))
        )
        _limit_time(seconds)
        answer = _answer(directory, function, arguments)
        _limit_time(0)
        answers.write(len(answer).to_bytes(HEADER, "little") + answer)
        answers.flush()


def _answer(directory: Path, function: str, arguments: tuple[Any, ...]) -> bytes:
    """Return the pickled result, or the error, of a function that is called in a directory."""
    module, _, name = function.partition(":")
    try:
        os.chdir(directory)
        return pickle.dumps((True, getattr(import_module(module), name)(*arguments)))
    except Exception as error:  # noqa: BLE001  # it is raised where the call was made
        return _error(error)
    except BaseException as error:  # noqa: BLE001  # the panic of a library, which is not an Exception
        return _error(ValueError(f"the library failed: {error}"))


def _error(error: Exception) -> bytes:
    """Return the pickled error without what it refers to."""
    error.__traceback__ = error.__cause__ = error.__context__ = None
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  # just pickled
    except Exception:  # noqa: BLE001  # such as an error of an extension module
        error = ValueError(str(error))
    return pickle.dumps((False, error))


def _limit_memory() -> None:
    """Limit the address space, and write no core dumps; Windows has neither."""
    try:
        import resource  # noqa: PLC0415  # POSIX only
    except ModuleNotFoundError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_time(seconds: float) -> None:
    """Let the system end this process after some processor time; 0 removes the limit."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)
