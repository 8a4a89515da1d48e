"""The first operation of a trace that is outside its error bound, and the misreading that it equals.

A mutant is compared on the inputs that the runtime itself had: it computes the sequence under an observer,
which replaces the results of all earlier operations by those of the runtime.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..container.error_bound import describe, shapes
from ..core.runtime import BrokenAdapter, NoAnswerError, Runtime
from ..core.vectors import Vector
from ..operations.ball import TINY, U
from ..operations.operation import Operation
from ..operations.walk import Trace, Walk
from . import recognition
from .recognition import MANY, NEARER, Named

LONG = 64
"""Sequences above this number of tokens are traced for their first split alone."""

PRECEDING_TOKENS = 8
"""Number of tokens of another sequence, which is computed first if the vector tests DEC-17."""

SPLIT = "LLQ-DEC-17"

CODES_OFF = 1 / 50
"""Maximum share of INT8 codes that may be one step from those of a mutant."""

SHOWN = 3
"""Number of elements that a failure shows: the worst of them."""

WORD = 16
"""Roundings between two executions of an operation that has no error bound."""


@dataclass(frozen=True)
class Located:
    """The first operation outside its error bound.

    before and later: the operations before it, all of them inside, and the later operations that are outside.
    """

    operation: Operation
    split: Sequence[int]
    before: Sequence[Operation]
    later: int
    misreadings: Named = field(default_factory=dict)

    @property
    def rule(self) -> str:
        """The rule that is broken: the misreading's if there is only one, otherwise the operation's."""
        rules = [rule for rules in self.misreadings.values() for rule in rules]
        return rules[0] if len(rules) == 1 else self.operation.rules[0]

    def lines(self) -> list[str]:
        """Return the lines that describe the operation in a failure."""
        operation = self.operation
        lines = [
            f"  operation  {operation.name}, whose inputs are the runtime's own",
            f"  split      {list(self.split)}",
            f"  order      {len(self.before)} earlier results inside their bounds, {self.later} later not",
        ]
        if not operation.of_right_shape:
            return [*lines, *shapes(operation.found, operation.expected.value)]
        bound = np.where(operation.compared, operation.expected.radius, np.inf)
        lines += describe(operation.found, operation.expected.value, bound, operation.axes)
        return lines + list(_worst(operation, bound))


def _worst(operation: Operation, bound: NDArray[np.float64]) -> Iterator[str]:
    """Yield a line for each of the worst elements, relative to their bounds."""
    error = np.abs(operation.found.astype(np.float64) - operation.expected.value)
    error = np.where(np.isfinite(error), error, np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(operation.outside, error / bound, -1.0).ravel()
    for number in np.argsort(-ratio, kind="stable")[:SHOWN]:
        if ratio[number] >= 0:
            index = np.unravel_index(int(number), operation.found.shape)
            place = ", ".join(f"{axis} {int(i)}" for axis, i in zip(operation.axes, index, strict=True))
            yield (
                f"  element    {place}: {operation.found[index]!s}, expected "
                f"{operation.expected.value[index]!s} ± {bound[index]:.4g}"
            )


def located(
    runtime: Runtime, vector: Vector, package: Path, tokens: Sequence[int], splits: Sequence[Sequence[int]]
) -> Located | None:
    """Trace a sequence once for each split; return the first wrong operation of the first wrong split."""
    for split in splits[:1] if len(tokens) > LONG else splits:
        if SPLIT in vector.rules:
            preceding = tokens[::-1][:PRECEDING_TOKENS]
            runtime.trace(package, preceding, [len(preceding)])  # what follows must not depend on it
        trace = runtime.trace(package, tokens, split)
        if not trace:
            raise BrokenAdapter("its trace has no tensor, though it claims trace")
        walk = Walk(package, tokens, trace, runtime.info.kv_cache)
        if unknown := sorted(set(trace) - walk.names):
            raise BrokenAdapter(f"its trace has the tensor {unknown[0]!r}, which TRACE.md does not list")
        wrong = [number for number, operation in enumerate(walk.operations) if operation.wrong]
        if wrong:
            first = Located(walk.operations[wrong[0]], split, walk.operations[: wrong[0]], len(wrong) - 1)
            names = _misreadings(runtime, vector, package, tokens, first)
            return Located(first.operation, split, first.before, first.later, names)
    return None


class CompleteResult(Exception):  # noqa: N818 - nothing is wrong
    """The result of the last operation is complete: nothing later is needed."""


class Substitution:
    """An observer that continues with the results of a runtime up to an operation, whose result it keeps.

    It raises CompleteResult when it has the result for all positions.
    """

    def __init__(self, before: Sequence[Operation], last: Operation) -> None:
        """Keep the results of the operations before the last."""
        self._before: Trace = {operation.name: operation.found for operation in before}
        self._last = last.name
        self._positions = len(last.found)
        self._done: dict[str, int] = {}
        self._rows: list[NDArray[np.float64]] = []

    def __call__(self, name: str, value: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the runtime's result in place of the value, if it is known."""
        kind = name.rsplit(".", 1)[-1]
        if name == self._last:
            if kind in ("keys", "values"):
                self._rows.clear()
            self._rows.append(np.array(value))
            if sum(map(len, self._rows)) == self._positions:
                raise CompleteResult
        if name not in self._before:
            return value
        found = self._before[name].astype(np.float64)
        if kind in ("keys", "values"):
            return found[: len(value)]
        first = self._done.get(name, 0)
        self._done[name] = first + len(value)
        rows = found[first : first + len(value)]
        return rows if kind not in ("scores", "weights") else rows[:, :, : value.shape[2]]

    def result(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Return what the last operation yielded for all positions."""
        if len(shape) < 3 or not self._rows or self._rows[-1].shape[2] == self._rows[0].shape[2]:
            return np.concatenate(self._rows)
        return np.concatenate([np.pad(r, ((0, 0), (0, 0), (0, shape[2] - r.shape[2]))) for r in self._rows])


def _misreadings(
    runtime: Runtime, vector: Vector, package: Path, tokens: Sequence[int], first: Located
) -> Named:
    """Return the mutants that yield the result of the operation from the runtime's inputs."""
    if recognition.silenced() or not first.operation.of_right_shape:
        return {}
    try:
        from ..mutation import mutants  # noqa: PLC0415 - needs the library, and only now
    except ImportError:
        return {}
    distances: dict[str, float] = {}
    for name in recognition.comparable(runtime, vector, mutants.MUTANTS, "logits"):
        result = _result(name, vector, package, tokens, first)
        if result is not None:
            distances[name] = _distance(first.operation, result)
    far = _distance(first.operation, first.operation.expected.value)
    nearest = min(distances.values(), default=np.inf)
    if nearest > 1 or not NEARER * nearest <= far:
        return {}
    titles: Named = {
        mutants.MUTANTS[name].title: (mutants.MUTANTS[name].rule,)
        for name, distance in distances.items()
        if distance <= 1
    }
    return titles if len(titles) <= MANY else {}


def _result(
    name: str, vector: Vector, package: Path, tokens: Sequence[int], first: Located
) -> NDArray[np.float64] | None:
    """Return what a mutant makes of the runtime's inputs of the operation, or None if it fails."""
    mutant: Any = recognition.mutant_runtime(name)
    substitution = Substitution(first.before, first.operation)
    mutant.close()  # mutants of what is kept between sequences begin with none
    try:
        if SPLIT in vector.rules:
            preceding = tokens[::-1][:PRECEDING_TOKENS]
            mutant.trace(package, preceding, [len(preceding)])
        mutant.observed(package, tokens, first.split, substitution)
    except CompleteResult:
        return substitution.result(first.operation.found.shape)
    except Exception:  # noqa: BLE001, S110 - a mutant may fail in any way
        pass
    return None


def _distance(operation: Operation, result: NDArray[np.float64]) -> float:
    """Return the distance of the runtime's result from another, relative to the tolerance."""
    found, expected = operation.found, operation.expected
    if found.shape != result.shape or not np.array_equal(np.isfinite(found), np.isfinite(result)):
        return np.inf
    compared = operation.compared & np.isfinite(result)
    if not compared.any():
        return np.inf
    off = np.abs(found[compared] - result[compared])
    if operation.rules[0] == "LLQ-ACT-2":
        return float(np.count_nonzero(off) / off.size / CODES_OFF) if off.max() <= 1 else np.inf
    greater = max(1.0, np.abs(result[compared]).max() / max(np.abs(expected.value).max(), 1e-30))
    tolerance = expected.radius[compared] * greater + WORD * U * np.abs(result[compared]) + TINY
    with np.errstate(invalid="ignore"):
        return float((off / tolerance).max())


def located_cause(
    runtime: Runtime, vector: Vector, package: Path, tokens: Sequence[int], split: Sequence[int]
) -> Located | None:
    """Return the wrong operation that causes a failure of another check, if the runtime returns traces."""
    if "trace" not in runtime.capabilities or recognition.silenced():
        return None
    try:
        return located(runtime, vector, package, tokens, [split])
    except NoAnswerError:
        return None
