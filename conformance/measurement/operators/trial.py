"""The trial of one mutant in a process of its own: questions until the first kill."""

import os
import resource
import signal
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from ...core.check import Outcome
from ...mutation.operators import loading
from ...mutation.operators.effects import Changes
from ...mutation.operators.mutants import OperatorMutant
from .questions import Answering, Recording

UNREACHED = "unreached"
"""The verdict on a mutant that differs only on values that no vector has."""

MEMORY = 4 << 30
"""Maximum address space of a trial in bytes."""

WAIT = 60.0
"""Seconds of elapsed time for an answer, which include waiting."""

LIMIT = 3.0
"""Seconds of processor time for an answer, in addition to TIMES of what the reference takes."""

TIMES = 10
_FORK = get_context("fork")


@dataclass(frozen=True)
class Trial:
    """The result of a trial.

    verdict: `killed`, `timed out`, `survived` or `unreached`, if its effect changed no value. by: the
    question that killed it. changed: whether a value changed or, for a change of code, that code was
    executed. asked: number of questions.
    """

    verdict: str
    by: str = ""
    headline: str = ""
    changed: bool = True
    asked: int = 0
    seconds: float = 0.0


class RunningTrial:
    """A trial that is under way."""

    def __init__(self, mutant: OperatorMutant, order: Sequence[int], recording: Recording) -> None:
        """Start a process that asks questions of a recording in this order."""
        self.mutant = mutant
        self._recording = recording
        self.connection, sender = _FORK.Pipe(duplex=False)
        self._asking = _FORK.RawValue("i", -1)
        self._start = time.monotonic()
        arguments = (mutant, order, recording, sender, self._asking)
        self.process = _FORK.Process(target=_try, args=arguments, daemon=True)
        with _uninterrupted():
            self.process.start()
        sender.close()

    def result(self) -> Trial:
        """Return the result, once the connection has it or its other end is closed."""
        try:
            trial: Trial = self.connection.recv()
        except EOFError:
            trial = self._end()
        self.process.join()
        self.connection.close()
        return trial

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.join()

    def _end(self) -> Trial:
        """Return the verdict on a process that ended without a result: out of time, or crashed."""
        self.process.join()
        timed_out = self.process.exitcode in (-signal.SIGPROF, -signal.SIGXCPU)
        number = self._asking.value
        by = self._recording.questions[number].name if number >= 0 else "import"
        headline = f"the process ended with status {self.process.exitcode}"
        seconds = time.monotonic() - self._start
        return Trial("timed out" if timed_out else "killed", by, headline, seconds=seconds)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Delay SIGINT while a process forks: in hooks of forks, Python ignores what its handler raises."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _try(
    mutant: OperatorMutant, order: Sequence[int], recording: Recording, sender: Connection, asking: Any
) -> None:
    start = time.process_time()
    trial = Trial("survived")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its trials
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.setitimer(signal.ITIMER_PROF, LIMIT)
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 2)
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trial = _ask(mutant, order, recording, asking)
    except BaseException as error:  # noqa: BLE001 - a mutant may fail in any way
        trial = Trial("killed", "import", f"{type(error).__name__}: {error}"[:200])
    signal.setitimer(signal.ITIMER_PROF, 0)
    values = vars(trial) | {"seconds": round(time.process_time() - start, 3)}
    sender.send(Trial(**values))
    sender.close()
    os._exit(0)


def _ask(mutant: OperatorMutant, order: Sequence[int], recording: Recording, asking: Any) -> Trial:
    loading.use({mutant.source.module: mutant.tree()})
    answering = Answering(WAIT)
    Changes.seen = False
    for count, number in enumerate(order, 1):
        asking.value = number
        signal.setitimer(signal.ITIMER_PROF, LIMIT + TIMES * recording.seconds[number])
        question = recording.questions[number]
        result = answering.ask(question)
        if result.outcome is not Outcome.PASSED:
            verdict = "timed out" if result.outcome is Outcome.TIMED_OUT else "killed"
            return Trial(verdict, question.name, result.headline[:200], Changes.seen, count)
    changed = Changes.seen or not _noted(mutant)
    return Trial("survived" if changed else UNREACHED, changed=changed, asked=len(order))


def _noted(mutant: OperatorMutant) -> bool:
    """Return whether the effect of the mutant notes whether it changes a value."""
    return any(name in mutant.after for name in ("__mutation__", "__kept__"))
