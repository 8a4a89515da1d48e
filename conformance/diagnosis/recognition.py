"""Which mutant computes what a runtime computed: its title, for numbers and for tokens.

Runtimes round differently, so an answer need not equal a mutant's answer bit for bit. It must be as near to
the mutant's answer as a legal runtime is to the reference, and much nearer than to the reference.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..container.decoding import Reading
from ..container.difference import identical
from ..container.package import read_tensor, tensor_names
from ..core.runtime import NoAnswerError, Reals, Rounded, Runtime
from ..core.vectors import VECTORS, Vector
from ..mutation.kill_matrix import KillMatrix, saved

MANY = 3
"""Maximum number of mutants that are reported."""

NEARER = 8
"""Minimum ratio of the distance to the reference's answer and the distance to the mutant's answer."""

CLOSE_LOGITS = 1 / 4
"""Maximum distance of logits from a mutant's: their bound is four times what legal executions differ."""

MOST_TOKENS = 64
"""Maximum length of sequences that are compared with all mutants: longer ones would take minutes."""

NORMAL = 2.0**-14
"""Binary16 has subnormals below this, which a runtime may take for 0."""

Named = dict[str, tuple[str, ...]]
"""Titles of mutants, with the rules that they break."""

Answers = list[Any]
Distance = Callable[[Answers, Answers], float]
"""The distance of answers from a mutant's answers, relative to the tolerance; above 1 they differ."""

COMPARED_CHECKS = {
    "activations": ("activations",),
    "matvec": ("activations", "matvec", "decode"),
    "logits": ("activations", "matvec", "logits", "decode"),
    "generate": ("generate",),
    "sample": ("sample",),
    "adjust": ("adjust",),
    "tokenize": ("tokenize",),
}
"""The checks whose mutants are compared, by the check that failed."""


_silent: list[bool] = []


@contextmanager
def silent() -> Iterator[None]:
    """Name no mutants within the block, which saves time if failures are only counted."""
    _silent.append(True)
    try:
        yield
    finally:
        _silent.pop()


_unknown: set[str] = set()


@contextmanager
def unknown(names: frozenset[str]) -> Iterator[None]:
    """Compare nothing with some mutants within the block, to measure which other names are given then."""
    _unknown.update(names)
    try:
        yield
    finally:
        _unknown.difference_update(names)


def silenced() -> bool:
    """Whether naming mutants is switched off."""
    return bool(_silent)


@dataclass(frozen=True)
class Computation:
    """The computation of a runtime for a vector.

    compute: how another runtime computes the same. name: which of several computations for the vector.
    """

    runtime: Runtime
    vector: Vector
    compute: Callable[[Runtime], Answers]
    name: str = ""


@dataclass(frozen=True)
class Evidence:
    """What a runtime answered in one computation, and the distance that compares it with mutants."""

    computation: Computation
    answers: Answers
    distance: Distance


def recognize(evidence: Evidence, *further: Evidence, close: float = 1.0) -> Named:
    """Return the mutants that yield these answers, if they are few; none if nothing can be compared.

    close: maximum distance of a mutant that explains the answers. further: computations that a mutant must
    explain as well; they are asked of those alone that explain the first.
    Mutants of decoding are omitted if the runtime decodes correctly.
    """
    if silenced():
        return {}
    try:
        from ..mutation import mutants  # noqa: PLC0415 - needs the library, and only now
    except ImportError:
        return {}
    far = _distance(evidence, mutants.CONTROL)
    if far is None:
        return {}
    candidates = _candidates(evidence.computation, mutants.MUTANTS)
    distances = {name: _distance(evidence, name) for name in candidates}
    fitting = {name: d for name, d in distances.items() if d is not None and d <= close}
    for more in further:
        further_distances = {name: _distance(more, name) for name in fitting}
        fitting = {
            name: max(fitting[name], d)
            for name, d in further_distances.items()
            if d is not None and d <= close
        }
    nearest = min(fitting.values(), default=np.inf)
    if not NEARER * nearest <= far:
        return {}
    titles: Named = {mutants.MUTANTS[name].title: (mutants.MUTANTS[name].rule,) for name in fitting}
    return titles if len(titles) <= MANY else {}


def _distance(evidence: Evidence, name: str) -> float | None:
    """Return the distance of the answers from a mutant's, or None if it fails."""
    answers = _answers(evidence.computation, name)
    return None if answers is None else evidence.distance(evidence.answers, answers)


def _candidates(computation: Computation, mutants: Mapping[str, Any]) -> list[str]:
    """Return the mutants to compare with: those that fail this question, if the kill matrix has it."""
    vector = computation.vector
    candidates = comparable(computation.runtime, vector, mutants, vector.kind)
    kills = _matrix().kills
    question = f"{vector.kind}-{vector.id}"
    if vector.home == VECTORS and _matrix().complete and question in _questions():
        return [name for name in candidates if question in kills.get(name, (question,))]
    return [] if len(vector.members.get("tokens", ())) > MOST_TOKENS else candidates


def comparable(runtime: Runtime, vector: Vector, mutants: Mapping[str, Any], kind: str) -> list[str]:
    """Return the mutants whose answers to a kind of question are compared.

    Mutants of decoding are omitted if the runtime decodes correctly.
    """
    checks = COMPARED_CHECKS[kind]
    if kind == "logits" and _decodes(runtime, vector):
        checks = tuple(check for check in checks if check != "decode")
    return [
        name
        for name, mutant in mutants.items()
        if mutant.check in checks and not mutant.unnamed and name not in _unknown
    ]


@cache
def _matrix() -> KillMatrix:
    return saved()


@cache
def _questions() -> frozenset[str]:
    return frozenset(_matrix().questions)


def _decodes(runtime: Runtime, vector: Vector) -> bool:
    """Whether the runtime claims `decode`, and decodes a quantized tensor of the package correctly."""
    if "decode" not in runtime.capabilities:
        return False
    for name in tensor_names(vector.package):
        tensor = read_tensor(vector.package, name)
        if tensor.quantized:
            try:
                return identical(runtime.decode(vector.package, name), Reading()(tensor))
            except NoAnswerError:
                return False
    return False


_cached_answers: dict[tuple[str, ...], Answers | None] = {}


def _answers(computation: Computation, name: str) -> Answers | None:
    """Return a mutant's answers, or None if it fails; they are computed once."""
    vector = computation.vector
    key = str(vector.home), vector.id, computation.name, name
    if key not in _cached_answers:
        try:
            _cached_answers[key] = computation.compute(mutant_runtime(name))
        except Exception:  # noqa: BLE001 - a mutant may fail in any way
            _cached_answers[key] = None
    return _cached_answers[key]


def forget() -> None:
    """Forget the answers of mutants, and what mutants with a memory keep between questions."""
    _cached_answers.clear()
    mutant_runtime.cache_clear()


@cache
def mutant_runtime(name: str) -> Any:
    """Return a mutant that opens each package once."""
    from ..mutation import mutants  # noqa: PLC0415
    from ..mutation.mutants import open_packages  # noqa: PLC0415

    selection = [] if name == mutants.CONTROL else [mutants.MUTANTS[name]]
    decodes = any(mutant.check == "decode" for mutant in selection)
    return mutants.MutantRuntime(
        selection, opened=open_packages.without_tensors if decodes else open_packages.with_tensors
    )


def exact_distance(answers: Answers, mutant_answers: Answers) -> float:
    """Return 0 for equal answers, else infinity."""
    return 0.0 if answers == mutant_answers else np.inf


def bounded_distance(expected: Sequence[Reals], bounds: Sequence[Reals | np.float64]) -> Distance:
    """Return the distance of arrays with these error bounds.

    The bounds grow with the magnitude of the mutant's answer.
    """

    def distance(answers: Answers, mutant_answers: Answers) -> float:
        return max(map(_relative_error, answers, mutant_answers, expected, bounds))

    return distance


def _relative_error(
    answer: Reals, mutant_answer: Reals, reference_answer: Reals, bound: Reals | np.float64
) -> float:
    if answer.shape != mutant_answer.shape or not np.array_equal(
        np.isfinite(answer), np.isfinite(mutant_answer)
    ):
        return np.inf
    if answer.shape != reference_answer.shape:
        return 0.0 if np.array_equal(answer, mutant_answer, equal_nan=True) else np.inf
    finite = np.isfinite(mutant_answer)
    if not finite.any():
        return np.inf  # there is nothing to compare
    greater = max(1.0, np.abs(mutant_answer[finite]).max() / max(np.abs(reference_answer).max(), 1e-30))
    off = np.abs(answer[finite].astype(np.float64) - mutant_answer[finite])
    tolerance = np.broadcast_to(bound, mutant_answer.shape)[finite] * greater
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.where(off > 0, off / tolerance, 0.0).max())


def rounding_distance(answers: Answers, mutant_answers: Answers) -> float:
    """Return the distance of rounded vectors: 0 or infinite for binary16; a few INT8 codes may differ."""
    (answer,), (mutant_answer,) = answers, mutant_answers
    if answer.scales is None or mutant_answer.scales is None:
        flushed = (np.abs(mutant_answer.values) < NORMAL) & (answer.values == 0)
        return _equal(answer.values, np.where(flushed, 0, mutant_answer.values))
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.abs(answer.scales - mutant_answer.scales) / (2.0**-20 * np.abs(mutant_answer.scales))
    equal = np.asarray(
        (answer.scales == mutant_answer.scales) | (np.isnan(answer.scales) & np.isnan(mutant_answer.scales))
    )
    errors = np.where(equal, 0.0, scale)
    if not (errors <= 1).all():
        return np.inf
    return max(float(errors.max()) / 64, _codes(answer, mutant_answer))


def _equal(answer: NDArray[Any], mutant_answer: NDArray[Any]) -> float:
    return 0.0 if np.array_equal(answer, mutant_answer, equal_nan=True) else np.inf


def _codes(answer: Rounded, mutant_answer: Rounded) -> float:
    """Return a distance of codes that grows with the share of codes that differ, by at most 1."""
    if not np.array_equal(np.isnan(answer.values), np.isnan(mutant_answer.values)):
        return np.inf
    off = np.abs(np.nan_to_num(answer.values) - np.nan_to_num(mutant_answer.values))
    return float(50 * np.count_nonzero(off) / off.size) if off.max() <= 1 else np.inf
