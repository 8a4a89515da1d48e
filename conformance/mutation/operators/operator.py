"""An operator: a function from a site to changed code, registered under a name."""

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .observation import Observation
from .sources import Source


@dataclass(frozen=True)
class Site:
    """A place that an operator may change: a node, its parent, and what was seen there."""

    source: Source
    node: ast.AST
    observation: Observation
    seen: Callable[[ast.AST], Observation]

    @property
    def parent(self) -> ast.AST | None:
        """The node around this one."""
        return self.source.parents[self.node][0] if self.node in self.source.parents else None

    def only(self, *kinds: str) -> bool:
        """Return whether all values that were seen are of these kinds."""
        return bool(self.observation.kinds) and self.observation.kinds <= set(kinds)


@dataclass(frozen=True)
class Change:
    """Changed code in place of a node.

    above: the change has an effect only on values (integers, lengths, sizes of the last axis) above this.
    narrower: the change has an effect only on values that this type does not hold.
    """

    replacement: ast.AST
    above: int = -1
    narrower: str | None = None


Propose = Callable[[Site], Iterator[Change]]

OPERATORS: dict[str, Propose] = {}
"""All operators by name."""


def operator(name: str) -> Callable[[Propose], Propose]:
    """Register an operator; a name belongs to one operator."""

    def register(propose: Propose) -> Propose:
        if name in OPERATORS:
            raise ValueError(f"two operators are called {name}")
        OPERATORS[name] = propose
        return propose

    return register


def expression(template: str, *operands: ast.AST) -> ast.expr:
    """Return the expression of a template, in which `_0`, `_1` and so on denote operands."""
    return _Filling(operands).visit(ast.parse(template, mode="eval").body)  # type: ignore[no-any-return]


class _Filling(ast.NodeTransformer):
    def __init__(self, operands: tuple[ast.AST, ...]) -> None:
        self._operands = operands

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id[0] == "_" and node.id[1:].isdigit():
            return copy.deepcopy(self._operands[int(node.id[1:])])
        return node


def changed(node: ast.AST, **fields: object) -> ast.AST:
    """Return a copy of a node with other fields."""
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new
