"""Operators on values: limits, types, orders and tails, by the kinds of values that an expression takes."""

import ast
from collections.abc import Iterator
from dataclasses import replace

from .observation import NARROWER
from .operator import Change, Site, expression, operator
from .uses import consumer, is_scratch, is_used

_VALUES = (ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.BinOp)

_ARRAYS = ("floats", "ints", "complex", "bytes-array")


_ANY_ORDER = ("all", "any", "frozenset", "max", "min", "set", "sorted")
"""Functions whose results do not depend on the order of the items."""

_ANY_NUMBER = ("all", "any", "dict", "frozenset", "max", "min", "set")
"""Functions whose results do not depend on how often an item occurs."""


def _effect(site: Site, name: str, above: int = -1) -> Change:
    return Change(expression(f"__mutation__['{name}'](_0)", site.node), above)


def _is_value(site: Site) -> bool:
    """Return whether the value of a node is used, but not to reach an attribute, as a function or operand."""
    parent = site.parent
    reached = isinstance(parent, ast.Attribute) or (isinstance(parent, ast.Call) and parent.func is site.node)
    operand = isinstance(site.node, ast.Name) and isinstance(parent, ast.BinOp | ast.AugAssign | ast.Assign)
    value = isinstance(site.node, _VALUES) and not reached and not operand
    return value and is_used(site) and not is_scratch(site)


def _iterated(site: Site) -> bool:
    """Return whether a node is what a loop, a comprehension or a function over all items goes through."""
    parent = site.parent
    if isinstance(parent, ast.For | ast.comprehension):
        return parent.iter is site.node
    over_all = ("enumerate", "zip", "sorted", "tuple", "list", "set", "dict", "any", "all", "concatenate")
    return (
        isinstance(parent, ast.Call)
        and ast.unparse(parent.func).split(".")[-1] in over_all
        and site.node in parent.args
    )


def _kinds(site: Site, *kinds: str) -> bool:
    return _is_value(site) and site.only(*kinds)


@operator("limit")
def _limit(site: Site) -> Iterator[Change]:
    """Limit integers, and arrays along their last axis, at powers of 2."""
    bits = {"int": (4, 8), **dict.fromkeys(_ARRAYS, (4, 6, 8, 10))}
    for kind, powers in bits.items():
        if _kinds(site, kind):
            yield from (_effect(site, f"limit-{1 << power}", 1 << power) for power in powers)


@operator("modulo")
def _modulo(site: Site) -> Iterator[Change]:
    """Keep the low-order bits of integers."""
    if _kinds(site, "int"):
        yield from (_effect(site, f"modulo-{1 << power}", (1 << power) - 1) for power in (8, 16))


@operator("off-by-one")
def _off_by_one(site: Site) -> Iterator[Change]:
    """Add or subtract 1."""
    if _kinds(site, "int"):
        yield from (_effect(site, name) for name in ("plus-one", "minus-one"))


@operator("narrow")
def _narrow(site: Site) -> Iterator[Change]:
    """Convert to a narrower type and back."""
    if _kinds(site, "floats", "float") or _kinds(site, "ints"):
        for name in NARROWER[min(site.observation.kinds)]:
            yield replace(_effect(site, name), narrower=name)


@operator("sign")
def _sign(site: Site) -> Iterator[Change]:
    """Change the sign."""
    if _kinds(site, "floats", "float"):
        yield _effect(site, "negated")


@operator("rescale")
def _rescale(site: Site) -> Iterator[Change]:
    """Halve."""
    if _kinds(site, "floats", "float") and isinstance(site.node, ast.Call | ast.BinOp | ast.Attribute):
        yield _effect(site, "half")


@operator("tail")
def _tail(site: Site) -> Iterator[Change]:
    """Leave out the last element of the last axis, or of a sequence."""
    if _kinds(site, *_ARRAYS):
        yield _effect(site, "without-tail", 1)
    elif _iterated(site):
        yield _effect(site, "without-tail", 0)


@operator("order")
def _order(site: Site) -> Iterator[Change]:
    """Reverse an axis or a sequence, or sort a sequence by names or by the texts of numbers.

    Loops of validation are left alone: findings are sorted before they are returned.
    """
    if _kinds(site, *_ARRAYS):
        yield from (_effect(site, name, 1) for name in ("reversed", "first-axis-reversed"))
    elif _iterated(site) and site.source.area != "validation" and consumer(site) not in _ANY_ORDER:
        yield from (_effect(site, name, 1) for name in ("reversed", "by-name"))
        yield _effect(site, "order-of-texts", 10)


@operator("first")
def _first(site: Site) -> Iterator[Change]:
    """Go through the first items only."""
    if _iterated(site):
        yield from (_effect(site, f"first-{n}", n) for n in (1, 16, 256))


@operator("twice")
def _twice(site: Site) -> Iterator[Change]:
    """Go through the last item twice."""
    if _iterated(site) and consumer(site) not in _ANY_NUMBER:
        yield _effect(site, "twice", 0)
