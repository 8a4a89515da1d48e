"""The run: trials of many mutants, several at a time, the most probable questions first."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from multiprocessing.connection import wait

from ...mutation.operators.loading import preload
from ...mutation.operators.mutants import OperatorMutant, mutants
from ...mutation.operators.sources import MODULES, load
from .questions import Recording
from .results import ResultsFile, Row
from .trial import RunningTrial, Trial

OnRow = Callable[[Row], None]


def all_mutants(recording: Recording) -> list[OperatorMutant]:
    """Return the mutants of all modules."""
    return [m for module in MODULES for m in mutants(load(module), recording.observations)]


def sample(candidates: Sequence[OperatorMutant], size: int, seed: int) -> list[OperatorMutant]:
    """Return a random sample; with the same seed, unchanged functions keep their mutants in it or outside."""

    def rank(mutant: OperatorMutant) -> str:
        return hashlib.sha256(f"{seed}:{mutant.key}".encode()).hexdigest()

    return sorted(candidates, key=rank)[:size]


class Rarity:
    """How few questions evaluate what a question evaluates in a function: branches for errors are rare."""

    def __init__(self, recording: Recording) -> None:
        """Find the rarest expression of each function, and of each module, for each question."""
        self._in_function: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
        self._in_module: dict[str, dict[int, int]] = defaultdict(dict)
        self._otherwise = len(recording.seconds)
        sources = {module: load(module) for module in {module for module, _ in recording.observations}}
        for (module, number), observation in recording.observations.items():
            function = sources[module].function(sources[module].nodes[number])
            count = len(observation.questions)
            for rarest in (self._in_function[module, function], self._in_module[module]):
                for question in observation.questions:
                    rarest[question] = min(count, rarest.get(question, count))

    def of(self, question: int, module: str, function: str) -> int:
        """Return how many questions evaluate the rarest expression of the function, or else of the module."""
        rarest = self._in_function[module, function] if function else self._in_module[module]
        return rarest.get(question, self._otherwise)


class Priorities:
    """The order of questions for a mutant: those first that killed mutants of the same function.

    The others follow by processor time and rarity: short ones first, and those that evaluate expressions of
    the function that few questions evaluate.
    """

    def __init__(self, recording: Recording, limit: float) -> None:
        """Begin without kills. limit: what the questions for a mutant may take the reference, in seconds."""
        self._limit = limit
        self._seconds = recording.seconds
        self._rarity = Rarity(recording)
        self._numbers = {question.name: number for number, question in enumerate(recording.questions)}
        self._in_function: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
        self._in_module: dict[str, Counter[int]] = defaultdict(Counter)

    def add(self, row: Row) -> None:
        """Note who killed a mutant."""
        number = self._numbers.get(row.by)
        if number is not None:
            self._in_function[row.module, row.function][number] += 1
            self._in_module[row.module][number] += 1

    def order(self, mutant: OperatorMutant) -> list[int]:
        """Return the numbers of the questions that evaluate the site, the most probable killers first.

        Questions that exceed the limit together are left out; one is always asked.
        """
        relevant = range(len(self._seconds)) if mutant.questions is None else mutant.questions
        in_function = self._in_function[mutant.source.module, mutant.function]
        in_module = self._in_module[mutant.source.module]

        def rank(question: int) -> tuple[float, ...]:
            rarity = self._rarity.of(question, mutant.source.module, mutant.function)
            cost = self._seconds[question] * rarity
            return -in_function[question], -(in_module[question] > 0), cost, question

        order = sorted(relevant, key=rank)
        ends = accumulate(self._seconds[number] for number in order)
        return [number for number, end in zip(order, ends, strict=True) if end <= self._limit] or order[:1]


def run(  # noqa: PLR0913  # what a run depends on
    selection: Sequence[OperatorMutant],
    recording: Recording,
    results: ResultsFile,
    *,
    jobs: int,
    limit: float,
    on_row: OnRow,
) -> None:
    """Try the mutants that the results lack, `jobs` at a time; an interruption loses the current trials."""
    preload()
    priorities = Priorities(recording, limit)
    for row in results.rows.values():
        priorities.add(row)
    pending = _pending(selection, results, on_row)
    running: dict[object, RunningTrial] = {}
    try:
        while True:
            while len(running) < jobs and (mutant := next(pending, None)) is not None:
                trial = RunningTrial(mutant, priorities.order(mutant), recording)
                running[trial.connection] = trial
            if not running:
                return
            for connection in wait([trial.connection for trial in running.values()]):
                trial = running.pop(connection)
                row = _row(trial.mutant, trial.result(), recording)
                priorities.add(row)
                results.add(row)
                on_row(row)
    finally:
        for trial in running.values():
            trial.stop()


def _pending(
    selection: Sequence[OperatorMutant], results: ResultsFile, on_row: OnRow
) -> Iterator[OperatorMutant]:
    """Yield the mutants to try; those that no vector reaches have a result at once."""
    for mutant in selection:
        if mutant.key in results.rows:
            continue
        if mutant.reached:
            yield mutant
        else:
            row = Row.unreached(mutant)
            results.add(row)
            on_row(row)


def _row(mutant: OperatorMutant, trial: Trial, recording: Recording) -> Row:
    count = len(recording.seconds) if mutant.questions is None else len(mutant.questions)
    return Row.of_trial(mutant, trial, count)
