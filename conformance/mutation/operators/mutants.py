"""The mutants of a module: each operator at each site, without those that cannot differ."""

import ast
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from . import state, steps, values
from .observation import EVERY_QUESTION, KINDS_WITH_SIZE, Observation, Observations, seen_at
from .operator import OPERATORS, Change, Site
from .sources import Source

OPERATOR_MODULES = (values, steps, state)
"""The modules that register operators."""


@dataclass(frozen=True)
class OperatorMutant:
    """A module with one change.

    questions: those that evaluate the site, with a value above the limit of the change, or None for all.
    reached: whether any question does. occurrence: the number of mutants before it in the function that have
    the same code before and after.
    """

    source: Source = field(repr=False, compare=False)
    node: ast.AST = field(repr=False, compare=False)
    change: Change = field(repr=False, compare=False)
    operator: str
    questions: frozenset[int] | None
    reached: bool
    occurrence: int = 0

    @cached_property
    def key(self) -> str:
        """The digest that identifies the mutant, and stays when other functions change."""
        place = (self.source.module, self.function, str(self.occurrence))
        text = "\0".join((*place, self.operator, self.before, self.after))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def function(self) -> str:
        """The qualified name of the function around the site."""
        return self.source.function(self.node)

    @property
    def place(self) -> str:
        """The module and the function."""
        return f"{self.source.module}:{self.function}"

    @property
    def line(self) -> int:
        """The line of the site, from 1."""
        node = self.node
        while not hasattr(node, "lineno"):
            node = self.source.parents[node][0]
        return int(node.lineno)

    @cached_property
    def before(self) -> str:
        """The code of the site."""
        return _code(self.node)

    @cached_property
    def after(self) -> str:
        """The changed code."""
        return _code(self.change.replacement)

    def tree(self) -> ast.Module:
        """Return the changed tree of the module; the tree of the source changes with it."""
        replacement = ast.copy_location(self.change.replacement, self.node)
        parent, name, at = self.source.parents[self.node]
        if at is None:
            setattr(parent, name, replacement)
        else:
            getattr(parent, name)[at] = replacement
        return ast.fix_missing_locations(self.source.tree)


def _code(node: ast.AST) -> str:
    if isinstance(node, ast.FunctionDef):
        decorators = "".join(f"@{ast.unparse(decorator)} " for decorator in node.decorator_list)
        return f"{decorators}def {node.name}({ast.unparse(node.args)})"
    if isinstance(node, ast.ExceptHandler):
        return f"except {ast.unparse(node.type) if node.type else ''}"
    return ast.unparse(node)


def mutants(source: Source, observations: Observations) -> Iterator[OperatorMutant]:
    """Yield the mutants of a module, in the order of its nodes.

    observations: what a run of all questions recorded. Sites that no question evaluates have no mutants.
    """
    occurrences: Counter[str] = Counter()
    for mutant in _mutants(source, observations):
        yield replace(mutant, occurrence=occurrences[mutant.key])
        occurrences[mutant.key] += 1


def _mutants(source: Source, observations: Observations) -> Iterator[OperatorMutant]:
    def seen(node: ast.AST) -> Observation:
        return seen_at(source, node, observations)

    for node in source.nodes:
        if node not in source.parents or source.in_text(node):
            continue
        observation = seen(node)
        if not observation.questions or _declares_type(source, node, seen):
            continue
        site = Site(source, node, observation, seen)
        codes = {ast.dump(node)}
        for name, propose in OPERATORS.items():
            for change in propose(site):
                code = ast.dump(change.replacement)
                if code not in codes:
                    codes.add(code)
                    yield _mutant(site, name, change)


def _declares_type(source: Source, node: ast.AST, seen: Callable[[ast.AST], Observation]) -> bool:
    """Return whether a node is part of the declaration of a name for a type."""
    around = (
        part for part in (node, *source.ancestors(node)) if isinstance(part, ast.Assign | ast.AnnAssign)
    )
    return any(
        part.value is not None and bool(seen(part.value).kinds & _KINDS_OF_TYPES)
        for part in around
        if source.function(part) == ""
    )


_KINDS_OF_TYPES = {
    "_LiteralGenericAlias",
    "_GenericAlias",
    "_CallableGenericAlias",
    "GenericAlias",
    "UnionType",
}


def _mutant(site: Site, name: str, change: Change) -> OperatorMutant:
    observation = site.observation
    if change.narrower is not None and change.narrower not in observation.lossy:
        return OperatorMutant(site.source, site.node, change, name, frozenset(), reached=False)
    if EVERY_QUESTION in observation.questions:
        return OperatorMutant(site.source, site.node, change, name, None, reached=True)
    sizes = _sizes(site.node, site.seen)
    larger = frozenset(q for q in observation.questions if sizes.get(q, change.above + 1) > change.above)
    return OperatorMutant(site.source, site.node, change, name, larger, reached=bool(larger))


def _sizes(node: ast.AST, seen: Callable[[ast.AST], Observation]) -> Mapping[int, int]:
    """Return the sizes of a value by question; for an iterator over all items of a value, the sizes of that.

    Other iterators have no sizes.
    """
    observation = seen(node)
    if observation.kinds <= KINDS_WITH_SIZE:
        return observation.questions
    match node:
        case (
            ast.Call(func=ast.Name(id="enumerate" | "zip"), args=[items, *_])
            | ast.GeneratorExp(generators=[ast.comprehension(iter=items)])
        ):
            return _sizes(items, seen)
    return {}
