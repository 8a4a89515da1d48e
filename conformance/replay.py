"""One vector asked again: every check that concerns it, each answer explained in full, without pytest."""

import shlex
import tempfile
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

from . import runtimes
from .adapter import NoAnswerError
from .check import Outcome, Result
from .checks import CHECKS
from .vectors import VECTORS, Vector, VectorsError, load

TIMEOUT = 30.0


class UnknownVectorError(ValueError):
    """No vector has this id; the message names those that have nearly this one."""


MISUSE = (UnknownVectorError, VectorsError, runtimes.UnknownRuntimeError)
"""What `replay` raises where nothing could be asked."""

__all__ = ["MISUSE", "VECTORS", "NoAnswerError", "command", "find", "replay", "told"]


def command(vector: str, spec: str, vectors: Path | str = "") -> str:
    """Return the command that asks about one vector again; `vectors` is the argument of --vectors."""
    more = f" --vectors={shlex.quote(str(vectors))}" if vectors and Path(vectors) != VECTORS else ""
    return f"llq replay {shlex.quote(vector)} --runtime={shlex.quote(spec)}{more}"


def find(name: str, vectors: Sequence[Vector]) -> Vector:
    """Return the vector of an id; raise `UnknownVectorError` if there is none."""
    by_id = {vector.id: vector for vector in vectors}
    if name not in by_id:
        parts = [vector for vector in by_id if name in vector][:4] if name else []
        near = parts or get_close_matches(name, by_id, n=4, cutoff=0.6)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {len(by_id)}, see index.json"
        raise UnknownVectorError(f"there is no vector {name!r}; {hint}")
    return by_id[name]


def replay(
    name: str, spec: str = "reference", timeout: float = TIMEOUT, vectors: Path = VECTORS
) -> Iterator[Result]:
    """Ask a runtime about one vector, check after check.

    Raises one of `MISUSE`, or NoAnswerError where the runtime cannot be loaded or greets wrongly.
    """
    vector = find(name, load(vectors))
    runtime = runtimes.find(spec, timeout)
    try:
        for check in CHECKS:
            if check.concerns(vector):
                with tempfile.TemporaryDirectory(prefix="llq-replay-") as workspace:
                    yield check(runtime, vector, Path(workspace))
    finally:
        runtime.close()


def told(result: Result) -> str:
    """Return a result in words: one line, and what explains a bad one."""
    line = f"{result.outcome.upper()}  {result.check} {result.vector}  ({result.seconds:.3f} s)"
    if result.outcome is Outcome.NOT_CLAIMED:
        return f"{line}  {result.headline}"
    return f"{line}\n\n{result.explanation}\n" if result.explanation else line
