"""Rerun of one vector without pytest: every check of the vector, with full explanations."""

import shlex
import tempfile
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from .. import exporters
from ..checks import CHECKS
from ..core.check import Check, Outcome, Result
from ..core.runtime import NoAnswerError
from ..core.target import Target
from ..core.vectors import VECTORS, Vector, VectorsError, load
from ..exporters.checks import EXPORT_CHECKS
from ..exporters.session import NEEDED, Session
from ..mutation.find import UnknownRuntimeError
from ..mutation.find import find as find_runtime

TIMEOUT = 30.0


class UnknownVectorError(ValueError):
    """No vector has this id; the message lists similar ids."""


MISUSE = (UnknownVectorError, VectorsError, UnknownRuntimeError, exporters.UnknownExporterError)
"""The errors of a wrong option of `rerun`."""

__all__ = [
    "MISUSE",
    "VECTORS",
    "NoAnswerError",
    "Target",
    "command",
    "rerun",
    "rerun_export",
    "result_text",
]


def command(vector: str, target: Target | str, vectors: Path | str = "") -> str:
    """Return the command that reruns one vector; `vectors` is the argument of --vectors."""
    target = Target(target) if isinstance(target, str) else target
    vectors_option = f" --vectors={shlex.quote(str(vectors))}" if vectors and Path(vectors) != VECTORS else ""
    return f"llq rerun {shlex.quote(vector)} {target.arguments()}{vectors_option}"


def find_vector(name: str, vectors: Sequence[Vector]) -> Vector:
    """Return the vector of an id; raise `UnknownVectorError` if there is none."""
    by_id = {vector.id: vector for vector in vectors}
    if name not in by_id:
        parts = [vector for vector in by_id if name in vector][:4] if name else []
        near = parts or get_close_matches(name, by_id, n=4, cutoff=0.6)
        hint = f"did you mean {' or '.join(near)}?" if near else f"index.json lists all {len(by_id)} vectors"
        raise UnknownVectorError(f"there is no vector {name!r}: {hint}")
    return by_id[name]


def rerun(
    name: str, spec: str = "reference", timeout: float = TIMEOUT, vectors: Path = VECTORS
) -> Iterator[Result]:
    """Ask a runtime about one vector, check after check.

    Raises one of `MISUSE`, or NoAnswerError where the runtime cannot be loaded or greets wrongly.
    """
    vector = find_vector(name, load(vectors))
    if vector.kind == "export":
        raise UnknownVectorError(f"the vector {name} tests exporters: add --exporter")
    yield from _results(CHECKS, find_runtime(spec, timeout), vector)


def rerun_export(
    name: str, target: Target, timeout: float = TIMEOUT, vectors: Path = VECTORS
) -> Iterator[Result]:
    """Ask an exporter about one vector, check after check; raises what `rerun` raises."""
    vector = find_vector(name, load(vectors))
    if vector.kind != "export":
        raise UnknownVectorError(f"the vector {name} tests runtimes: omit --exporter")
    yield from _results(EXPORT_CHECKS, session(target, timeout), vector)


def session(target: Target, timeout: float) -> Session:
    """Return an exporter with who judges its packages; raises one of `MISUSE`, or NoAnswerError."""
    if target.claims and target.claims not in exporters.CLAIMS:
        raise exporters.UnknownExporterError(
            f"--exporter-claims={target.claims} is not one of: {', '.join(exporters.CLAIMS)}"
        )
    exporter = exporters.find(target.spec, timeout)
    judge = find_runtime(target.judge, timeout)
    if missing_capabilities := NEEDED - judge.capabilities:
        judge.close()
        names = ", ".join(missing_capabilities)
        raise UnknownRuntimeError(
            f"--runtime={target.judge} does not claim {names}; "
            "a runtime that validates packages has to claim reject and logits"
        )
    return Session(exporter, judge, target.claims or None)


def _results(checks: Sequence[Check], subject: Any, vector: Vector) -> Iterator[Result]:
    try:
        for check in checks:
            if check.concerns(vector):
                with tempfile.TemporaryDirectory(prefix="llq-rerun-") as workspace:
                    yield check(subject, vector, Path(workspace))
    finally:
        subject.close()


def result_text(result: Result) -> str:
    """Return a result in words: one line, and what explains a bad one."""
    line = f"{result.outcome.upper()}  {result.check} {result.vector}  ({result.seconds:.3f} s)"
    if result.outcome is Outcome.NOT_CLAIMED:
        return f"{line}  {result.headline}"
    return f"{line}\n\n{result.explanation}\n" if result.explanation else line
