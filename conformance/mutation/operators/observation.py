"""What values expressions take, recorded by a tree in which each expression reports its value."""

import ast
import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from .effects import EFFECTS, equal
from .sources import Source

EVERY_QUESTION = -1
"""The question during imports, whose effects every question sees."""


@dataclass
class Observation:
    """What was seen at an expression.

    questions: numbers of the questions that evaluated it, or EVERY_QUESTION, each with the largest integer,
    length or size of the last axis. kinds: kinds of its values. lossy: the narrower types that do not hold
    all of its numbers.
    """

    questions: dict[int, int] = field(default_factory=dict)
    kinds: set[str] = field(default_factory=set)
    lossy: set[str] = field(default_factory=set)

    def numbered(self, first: int, step: int) -> "Observation":
        """Return the observation with question i, but not the imports, as number first + i · step."""
        numbers = {q: q if q == EVERY_QUESTION else first + q * step for q in self.questions}
        return Observation({numbers[q]: size for q, size in self.questions.items()}, self.kinds, self.lossy)

    def merge(self, other: "Observation") -> None:
        """Add what was seen elsewhere."""
        self.kinds |= other.kinds
        self.lossy |= other.lossy
        for question, size in other.questions.items():
            self.questions[question] = max(size, self.questions.get(question, 0))


Observations = dict[tuple[str, int], Observation]
"""Observations by module and number of the node."""


_KINDS: Mapping[str, tuple[type, ...]] = {
    "array": (np.ndarray,),
    "bool": (bool, np.bool_),
    "int": (int, np.integer),
    "float": (float, np.floating),
    "sequence": (list, tuple, set, frozenset),
    "mapping": (dict,),
    "none": (type(None),),
}
_KINDS_OF_ARRAYS = {"f": "floats", "b": "flags", "c": "complex"}
_SIZED = ("str", "bytes", "sequence", "mapping", "range", "dict_items", "dict_keys", "dict_values")

NARROWER = {
    **dict.fromkeys(("float", "floats"), ("binary16", "bfloat16")),
    "ints": ("int8", "int16"),
}
"""By kinds of values, the narrower types that operators convert to."""

KINDS_WITH_SIZE = {"bool", "int", "floats", "complex", "ints", "bytes-array", "flags", *_SIZED}
"""Kinds of values whose observations have sizes."""


class Recorder:
    """Receives the values of expressions; `question` is the number of the question that is being asked."""

    def __init__(self) -> None:
        """Begin without observations, with the imports."""
        self.question = EVERY_QUESTION
        self.seen: Observations = {}

    def __call__(self, module: str, number: int, value: Any) -> Any:
        """Record the value of an expression, and return it."""
        observation = self.seen.get((module, number))
        if observation is None:
            observation = self.seen[module, number] = Observation()
        kind, size = kind_and_size(value)
        observation.kinds.add(kind)
        for name in NARROWER.get(kind, ()):
            if name not in observation.lossy and not equal(value, EFFECTS[name](value)):
                observation.lossy.add(name)
        if size >= observation.questions.get(self.question, 0):
            observation.questions[self.question] = size
        return value


def kind_and_size(value: Any) -> tuple[str, int]:
    """Return the kind of a value, and the integer, the length or the size of the last axis."""
    of: Any = type(value)
    kind = _kind(of)
    if kind == "int":
        return kind, abs(int(value))
    if kind == "array":
        if value.dtype.itemsize == 1 and value.dtype.kind in "iu":
            return "bytes-array", value.shape[-1] if value.ndim else 0
        return _KINDS_OF_ARRAYS.get(value.dtype.kind, "ints"), value.shape[-1] if value.ndim else 0
    return kind, len(value) if kind in _SIZED else 0


@cache
def _kind(of: type) -> str:
    """Return the kind of the values of a type."""
    kinds = (name for name, types in _KINDS.items() if issubclass(of, types))
    return next(kinds, "iterator" if hasattr(of, "__next__") else of.__name__)


class _Reporting(ast.NodeTransformer):
    """Wraps every evaluated expression in a call of the recorder."""

    def __init__(self, module: str, unwrapped: frozenset[int]) -> None:
        self._module = module
        self._unwrapped = unwrapped

    def visit(self, node: ast.AST) -> Any:
        number: int = node.number  # type: ignore[attr-defined]  # an addition of `Source`
        self.generic_visit(node)
        if number in self._unwrapped or not isinstance(node, ast.expr):
            return node
        arguments = [ast.Constant(self._module), ast.Constant(number), node]
        call = ast.Call(ast.Name("__observe__", ast.Load()), arguments, [])
        return ast.copy_location(call, node)


def reporting_tree(source: Source) -> ast.Module:
    """Return the tree of a module whose expressions report their values to `__observe__`."""
    unwrapped = frozenset(number for number, node in enumerate(source.nodes) if not _evaluated(source, node))
    tree: ast.Module = _Reporting(source.module, unwrapped).visit(copy.deepcopy(source.tree))
    return ast.fix_missing_locations(tree)


def _evaluated(source: Source, node: ast.AST) -> bool:
    """Return whether a node is an expression with a value of its own."""
    if not isinstance(node, ast.expr) or isinstance(
        node, ast.Slice | ast.Starred | ast.Lambda | ast.JoinedStr
    ):
        return False
    if isinstance(node, ast.FormattedValue | ast.Yield | ast.YieldFrom) or source.in_text(node):
        return False
    if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
        return False
    around = [node, *source.ancestors(node)]
    in_pattern = any(isinstance(a, ast.pattern) for a in around)
    named_base = any(
        isinstance(parent, ast.ClassDef) and child in parent.bases for child, parent in pairwise(around)
    )
    return not in_pattern and not named_base


def seen_at(
    source: Source, node: ast.AST, observations: Mapping[tuple[str, int], Observation]
) -> Observation:
    """Return what was seen at a node, or else the questions that evaluated an expression within it."""
    own = observations.get((source.module, node.number))  # type: ignore[attr-defined]  # as above
    if own is not None:
        return own
    merged = Observation()
    for part in ast.walk(node):
        inner = observations.get((source.module, part.number))  # type: ignore[attr-defined]  # as above
        if inner is not None:
            merged.questions |= dict.fromkeys(inner.questions, 0)
    return merged
