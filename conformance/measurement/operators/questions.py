"""The questions of a run, their answers in this process, and what the reference evaluates for each."""

import gc
import os
import pickle
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from ...checks import CHECKS
from ...core.check import Check, Outcome, Result
from ...core.vectors import Vector, load
from ...diagnosis import recognition
from ...mutation.operators import loading
from ...mutation.operators.observation import Observation, Observations, Recorder, reporting_tree
from ...mutation.operators.sources import MODULES
from ...mutation.operators.sources import load as load_source
from ...runtimes.in_process import InProcessRuntime


@dataclass(frozen=True)
class Question:
    """A check of a vector."""

    check: Check
    vector: Vector

    @property
    def name(self) -> str:
        """The name in reports, check-vector."""
        return f"{self.check.name}-{self.vector.id}"


def questions(pattern: str = "*") -> tuple[Question, ...]:
    """Return the questions to runtimes whose names match, except those about the JavaScript interface."""
    vectors = load()
    everything = (Question(c, v) for c in CHECKS for v in vectors if c.name != "api" and c.concerns(v))
    return tuple(question for question in everything if fnmatchcase(question.name, pattern))


class Answering:
    """The reference, imported into this process, and a folder for packages that need a set-up."""

    def __init__(self, timeout: float) -> None:
        """Import the reference. timeout: seconds for an answer, which may wait for what never happens."""
        from ...runtimes.reference import Reference  # noqa: PLC0415 - as late as a mutant is in place

        self._runtime = InProcessRuntime(Reference(), timeout)

    def ask(self, question: Question) -> Result:
        """Ask a question."""
        with tempfile.TemporaryDirectory() as workspace, recognition.silent():
            return question.check(self._runtime, question.vector, Path(workspace))


@dataclass(frozen=True)
class Recording:
    """What the reference evaluates for each question, and the seconds of processor time that it takes."""

    questions: Sequence[Question] = field(repr=False)
    observations: Observations
    seconds: Sequence[float]


def record(asked: Sequence[Question], jobs: int, modules: Iterable[str] = tuple(MODULES)) -> Recording:
    """Return what questions evaluate, recorded in several processes.

    Raises RuntimeError if the reference fails a question.
    """
    context = get_context("fork")
    connections = []
    for number in range(jobs):
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_record, args=(asked[number::jobs], tuple(modules), sender))
        process.start()
        sender.close()
        connections.append((process, receiver))
    observations: Observations = {}
    seconds = [0.0] * len(asked)
    for first, (process, receiver) in enumerate(connections):
        failure, part, times = pickle.loads(receiver.recv_bytes())  # noqa: S301 - from a child process
        process.join()
        if failure:
            raise RuntimeError(f"the reference fails {failure}")
        for site, observation in part.items():
            observations.setdefault(site, Observation()).merge(observation.numbered(first, jobs))
        seconds[first::jobs] = times
    return Recording(asked, observations, seconds)


_PATIENCE = 3600.0


def _record(asked: Sequence[Question], modules: Sequence[str], sender: Connection) -> None:
    """Ask questions, and send a failure, if any, the observations and the times."""
    recorder = Recorder()
    trees = {module: reporting_tree(load_source(module)) for module in modules}
    loading.use(trees, __observe__=recorder)
    answering = Answering(_PATIENCE)
    times = []
    failure = ""
    for number, question in enumerate(asked):
        _clear_caches()
        recorder.question = number
        start = time.process_time()
        result = answering.ask(question)
        times.append(time.process_time() - start)
        if result.outcome is not Outcome.PASSED:
            failure = f"{question.name}: {result.headline}"
            break
    sender.send_bytes(pickle.dumps((failure, recorder.seen, times)))
    os._exit(0)


def _clear_caches() -> None:
    """Forget kept results of functions, so that each question evaluates all that it needs."""
    for function in _cached_functions():
        function.cache_clear()  # type: ignore[attr-defined]  # selected by this attribute


@cache
def _cached_functions() -> tuple[object, ...]:
    kept = (o for o in gc.get_objects() if type(o).__name__ == "_lru_cache_wrapper")
    return tuple(o for o in kept if str(getattr(o, "__module__", "")).startswith("llq_format"))
