"""Reports for tests of reports: runtimes asked in this process about a few vectors."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from conformance.checks import CHECKS
from conformance.core.check import Result
from conformance.core.runtime import Runtime
from conformance.core.target import Target
from conformance.core.vectors import VECTORS, Vector, load
from conformance.reporting.report import Report, Run, report
from conformance.runtimes.in_process import InProcessRuntime
from examples.python.miniatures import AcceptsAll, NibblePairs, Right, Verdict
from tests.support.timeouts import seconds

FEW = ("worked-example", "blocks-2-x-3", "version-2-0", "metadata-is-a-fifo", "control", "zero-is-positive")
OPTIONS = {"timeout": 30, "selection": "", "vectors": "", "processes": 1}
HOSTILE = (
    '</script><script>document.title="owned"</script><img src=x onerror=alert(1)>&amp;\x1b[31m\x00\ud800'
)
"""Standard error of a runtime that is harmful if it is written into a page unescaped."""


class Hostile(AcceptsAll):
    """Raises what HTML, terminals and JSON have to be protected from."""

    def decode(self, package: Path, tensor: str) -> NDArray[np.float32]:
        """Fail with a message and a traceback that hold markup."""
        raise ValueError(f"{package.name} {tensor} {HOSTILE}")


class RefusesForAnother(AcceptsAll):
    """Refuses every package, and for a rule that is not the first."""

    def validate(self, package: Path) -> Verdict:  # noqa: ARG002  # not looked at
        """Refuse."""
        return Verdict(("LLQ-HASH-1", "LLQ-VER-1"))


@cache
def vectors() -> tuple[Vector, ...]:
    """Return a few vectors: decoding, refusing, a set-up."""
    chosen = (vector for vector in load(VECTORS) if vector.id in FEW)
    return tuple(sorted(chosen, key=lambda vector: FEW.index(vector.id)))


def results_of(runtime: Runtime) -> Iterator[Result]:
    """Ask every check of the few vectors."""
    for check in CHECKS:
        for vector in vectors():
            if check.concerns(vector):
                with TemporaryDirectory() as workspace:
                    yield check(runtime, vector, Path(workspace))


def report_of(runtime_class: type[Right] = NibblePairs) -> Report:
    """Return the report of a miniature runtime."""
    runtime = InProcessRuntime(runtime_class(), seconds(30))
    results = tuple(results_of(runtime))
    spec = f"py:{runtime_class.__module__}:{runtime_class.__name__}"
    return report(Run(Target(spec), runtime, VECTORS, vectors(), OPTIONS, results, 1.5))
