"""Which mutant computes what a runtime computed: its title, for numbers and for tokens.

Foreign runtimes round otherwise than the reference, so an answer need not equal a mutant's bit for bit: it
must lie as near to it as a legal runtime lies to the right answer, and much nearer than to the right one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..container.decoding import Reading
from ..container.difference import same
from ..container.package import read_tensor, tensor_names
from ..core.runtime import NoAnswerError, Reals, Rounded, Runtime
from ..core.vectors import VECTORS, Vector
from ..mutation.kill_matrix import KillMatrix, saved

MANY = 3
"""More mutants than this explain nothing."""

NEARER = 8
"""How many times nearer to the mutant's answer than to the right one an answer has to be."""

NEXT = 16
"""How many times as far as the nearest mutant another one may be, to be named beside it."""

ALIKE = 1 / 16
"""Mutants as near as this are not told apart: one INT8 code that falls the other way moves logits so far."""

MOST_TOKENS = 64
"""Longer sequences are not compared where the kill matrix does not say with whom: it would take minutes."""

NORMAL = 2.0**-14
"""Binary16 has subnormals below this, which a runtime may take for 0."""

Named = dict[str, tuple[str, ...]]
"""Titles of mutants, with the rules that they break."""

Answers = list[Any]
Distance = Callable[[Answers, Answers], float]
"""How far answers are from a mutant's, in units of what a legal runtime may differ; above 1 they differ."""

COMPARED_CHECKS = {
    "activations": ("activations",),
    "matvec": ("activations", "matvec", "decode"),
    "logits": ("activations", "matvec", "logits", "decode"),
    "generate": ("generate",),
    "tokenize": ("tokenize",),
}
"""The checks whose mutants are compared, by the check that failed."""


_silent: list[bool] = []


@contextmanager
def silent() -> Iterator[None]:
    """Name nothing within the block: who only counts failures saves the time."""
    _silent.append(True)
    try:
        yield
    finally:
        _silent.pop()


def silenced() -> bool:
    """Whether nothing is to be named."""
    return bool(_silent)


@dataclass(frozen=True)
class Computation:
    """What a runtime computed for a vector.

    compute: how another runtime computes the same. name: which of several computations for the vector.
    """

    runtime: Runtime
    vector: Vector
    compute: Callable[[Runtime], Answers]
    name: str = ""


def recognised(computation: Computation, got: Answers, distance: Distance) -> Named:
    """Return the mutants that yield these answers, if they are few; none where nothing can be compared.

    distance: see `Distance`. The right answers are the reference's. Mutants of decoding are left out where
    the runtime shows that it decodes rightly.
    """
    if silenced():
        return {}
    try:
        from ..mutation import mutants  # noqa: PLC0415 - needs the library, and only now
    except ImportError:
        return {}
    right = _answers(computation, mutants.CONTROL)
    if right is None:
        return {}
    far = distance(got, right)
    found: dict[str, float] = {}
    for name in _candidates(computation, mutants.MUTANTS):
        wrong = _answers(computation, name)
        near = np.inf if wrong is None else distance(got, wrong)
        if near <= 1:
            found[name] = near
    nearest = min(found.values(), default=np.inf)
    if not NEARER * nearest <= far:
        return {}
    titles: Named = {
        mutants.MUTANTS[name].title: (mutants.MUTANTS[name].rule,)
        for name, near in found.items()
        if near <= max(NEXT * nearest, ALIKE)
    }
    return titles if len(titles) <= MANY else {}


def _candidates(computation: Computation, mutants: Mapping[str, Any]) -> list[str]:
    """Return the mutants to compare with: those that fail this question, if the kill matrix has it."""
    vector = computation.vector
    checks = COMPARED_CHECKS[vector.kind]
    if vector.kind == "logits" and _decodes(computation.runtime, vector):
        checks = tuple(check for check in checks if check != "decode")
    named = [name for name, mutant in mutants.items() if mutant.check in checks and not mutant.unnamed]
    kills = _matrix().kills
    question = f"{vector.kind}-{vector.id}"
    if vector.home == VECTORS and _matrix().complete and question in _questions():
        return [name for name in named if question in kills.get(name, (question,))]
    return [] if len(vector.members.get("tokens", ())) > MOST_TOKENS else named


@cache
def _matrix() -> KillMatrix:
    return saved()


@cache
def _questions() -> frozenset[str]:
    return frozenset(_matrix().questions)


def _decodes(runtime: Runtime, vector: Vector) -> bool:
    """Whether the runtime claims to decode, and decodes a quantized tensor of the package rightly."""
    if "decode" not in runtime.capabilities:
        return False
    for name in tensor_names(vector.package):
        tensor = read_tensor(vector.package, name)
        if tensor.quantized:
            try:
                return same(runtime.decode(vector.package, name), Reading()(tensor))
            except NoAnswerError:
                return False
    return False


_known: dict[tuple[str, ...], Answers | None] = {}


def _answers(computation: Computation, name: str) -> Answers | None:
    """Return a mutant's answers, or None where it has none; they are computed once."""
    vector = computation.vector
    key = str(vector.home), vector.id, computation.name, name
    if key not in _known:
        try:
            _known[key] = computation.compute(_runtime(name))
        except Exception:  # noqa: BLE001 - a mutant may fail in any way
            _known[key] = None
    return _known[key]


@cache
def _runtime(name: str) -> Any:
    """Return a mutant that opens each package once."""
    from ..mutation import mutants  # noqa: PLC0415
    from ..mutation.mutants import open_packages  # noqa: PLC0415

    chosen = [] if name == mutants.CONTROL else [mutants.MUTANTS[name]]
    decodes = any(mutant.check == "decode" for mutant in chosen)
    return mutants.MutantRuntime(
        chosen, opened=open_packages.without_tensors if decodes else open_packages.with_tensors
    )


def exactly(got: Answers, wrong: Answers) -> float:
    """Return 0 for equal answers, else infinity."""
    return 0.0 if got == wrong else np.inf


def within(expected: Sequence[Reals], bounds: Sequence[Reals | np.float64]) -> Distance:
    """Return the distance of arrays whose right ones have these bounds.

    A wrong answer may be greater than the right one, and rounding errors grow with it.
    """

    def distance(got: Answers, wrong: Answers) -> float:
        return max(map(_beyond, got, wrong, expected, bounds))

    return distance


def _beyond(got: Reals, wrong: Reals, right: Reals, bound: Reals | np.float64) -> float:
    if got.shape != wrong.shape or not np.array_equal(np.isfinite(got), np.isfinite(wrong)):
        return np.inf
    if got.shape != right.shape:
        return 0.0 if np.array_equal(got, wrong, equal_nan=True) else np.inf
    finite = np.isfinite(wrong)
    if not finite.any():
        return np.inf  # there is nothing to compare
    greater = max(1.0, np.abs(wrong[finite]).max() / max(np.abs(right).max(), 1e-30))
    off = np.abs(got[finite].astype(np.float64) - wrong[finite])
    allowed = np.broadcast_to(bound, wrong.shape)[finite] * greater
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.where(off > 0, off / allowed, 0.0).max())


def rounded(got: Answers, wrong: Answers) -> float:
    """Return the distance of rounded vectors: 0 or infinite for binary16; for INT8, few codes may differ."""
    (one,), (other,) = got, wrong
    if one.scales is None or other.scales is None:
        flushed = (np.abs(other.values) < NORMAL) & (one.values == 0)
        return _equal(one.values, np.where(flushed, 0, other.values))
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.abs(one.scales - other.scales) / (2.0**-20 * np.abs(other.scales))
    same = np.asarray((one.scales == other.scales) | (np.isnan(one.scales) & np.isnan(other.scales)))
    apart = np.where(same, 0.0, scale)
    if not (apart <= 1).all():
        return np.inf
    return max(float(apart.max()) / 64, _codes(one, other))


def _equal(one: NDArray[Any], other: NDArray[Any]) -> float:
    return 0.0 if np.array_equal(one, other, equal_nan=True) else np.inf


def _codes(one: Rounded, other: Rounded) -> float:
    """Return a distance of codes that grows with the share of those that differ, which may differ by 1."""
    if not np.array_equal(np.isnan(one.values), np.isnan(other.values)):
        return np.inf
    off = np.abs(np.nan_to_num(one.values) - np.nan_to_num(other.values))
    return float(50 * np.count_nonzero(off) / off.size) if off.max() <= 1 else np.inf
