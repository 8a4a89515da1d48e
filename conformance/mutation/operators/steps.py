"""Operators on steps: conditions, statements, calls and constants that are missed or confused."""

import ast
from collections.abc import Iterator
from itertools import combinations, pairwise

from .operator import Change, Site, changed, expression, operator

_BOUNDARIES: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.GtE,
    ast.NotEq: ast.Gt,
}
_CONFUSED: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mod,),
    ast.Mod: (ast.FloorDiv,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd, ast.BitXor),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
}
_WITHOUT_EFFECT = ("copy", "strict", "out", "max_workers", "cancel_futures", "slots", "frozen")
"""Keyword arguments of libraries that change speed or memory, or that check what is always true."""

_UNCHANGING = ("frozenset", "np.asarray", "observe", "tuple")
"""Functions that return a value of the same kind, with the same items."""

_OPPOSITES = {
    "any": "all",
    "all": "any",
    "min": "max",
    "max": "min",
    "argmax": "argmin",
    "sum": "max",
    "startswith": "endswith",
    "search": "match",
    "fullmatch": "match",
    "floor": "rint",
    "rint": "trunc",
    "cos": "sin",
    "sin": "cos",
}


@operator("condition")
def _condition(site: Site) -> Iterator[Change]:
    """Decide a condition once and for all."""
    if isinstance(site.parent, ast.If | ast.IfExp | ast.While) and site.parent.test is site.node:
        yield Change(ast.Constant(value=False))
        if not isinstance(site.parent, ast.While):
            yield Change(ast.Constant(value=True))
    elif isinstance(site.parent, ast.comprehension) and site.node in site.parent.ifs:
        yield Change(ast.Constant(value=True))


@operator("clause")
def _clause(site: Site) -> Iterator[Change]:
    """Leave out one operand of `and`, `or` or a chained comparison, or `not`."""
    match site.node:
        case ast.BoolOp(values=values) as node:
            for rest in combinations(values, len(values) - 1):
                yield Change(rest[0] if len(rest) == 1 else changed(node, values=list(rest)))
        case ast.Compare(left=left, ops=[first, second], comparators=[middle, right]):
            yield Change(ast.Compare(left, [first], [middle]))
            yield Change(ast.Compare(middle, [second], [right]))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield Change(operand)


@operator("boundary")
def _boundary(site: Site) -> Iterator[Change]:
    """Move the boundary of a comparison by one value, or test only one side."""
    if isinstance(site.node, ast.Compare):
        for at, op in enumerate(site.node.ops):
            if type(op) in _BOUNDARIES:
                ops = [*site.node.ops[:at], _BOUNDARIES[type(op)](), *site.node.ops[at + 1 :]]
                yield Change(changed(site.node, ops=ops))


@operator("arithmetic")
def _arithmetic(site: Site) -> Iterator[Change]:
    """Confuse an operation with its opposite, or leave out an operand."""
    if isinstance(site.node, ast.BinOp):
        for op in _CONFUSED.get(type(site.node.op), ()):
            yield Change(changed(site.node, op=op()))
        yield Change(site.node.left)
        yield Change(site.node.right)
    elif isinstance(site.node, ast.AugAssign) and type(site.node.op) in _CONFUSED:
        yield from (Change(changed(site.node, op=op())) for op in _CONFUSED[type(site.node.op)])


@operator("missing-step")
def _missing_step(site: Site) -> Iterator[Change]:
    """Leave out a statement, or a function or method that is applied to a value."""
    node = site.node
    match node:
        case ast.Expr() | ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break():
            yield Change(ast.Pass())
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in _names(value):
            yield Change(ast.Pass())
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield Change(ast.Pass())
        case ast.Call(func=ast.Attribute(value=value)) if _alike(site, value):
            yield Change(value)
    if isinstance(node, ast.Call) and ast.unparse(node.func) not in _UNCHANGING:
        yield from (Change(argument) for argument in node.args[:2] if _alike(site, argument))
    if isinstance(node, ast.Return) and isinstance(site.parent, ast.If) and node in site.parent.body:
        yield Change(ast.Pass())


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _alike(site: Site, operand: ast.AST) -> bool:
    """Return whether an operand has the kinds of values that the whole has."""
    kinds = site.seen(operand).kinds
    return bool(kinds) and kinds == site.observation.kinds


@operator("swapped")
def _swapped(site: Site) -> Iterator[Change]:
    """Swap two arguments, elements or targets of the same kind."""
    match site.node:
        case ast.Call(args=items) | ast.Tuple(elts=items) if not _in_import(site):
            for at, (first, second) in enumerate(pairwise(items)):
                if site.seen(first).kinds == site.seen(second).kinds != set():
                    swapped = [*items[:at], second, first, *items[at + 2 :]]
                    name = "args" if isinstance(site.node, ast.Call) else "elts"
                    yield Change(changed(site.node, **{name: swapped}))


def _in_import(site: Site) -> bool:
    """Return whether a node is evaluated during imports only, such as a declaration of types."""
    return site.source.function(site.node) == ""


@operator("ignored-argument")
def _ignored_argument(site: Site) -> Iterator[Change]:
    """Leave out a keyword argument or a bound of a slice, or set an optional value to None."""
    match site.node:
        case ast.Call(keywords=keywords) as node if keywords:
            for at, keyword in enumerate(keywords):
                if keyword.arg is not None and keyword.arg not in _WITHOUT_EFFECT:
                    yield Change(changed(node, keywords=[*keywords[:at], *keywords[at + 1 :]]))
        case ast.Slice(lower=lower, upper=upper, step=step) as node:
            for name, bound in (("lower", lower), ("upper", upper), ("step", step)):
                if bound is not None:
                    yield Change(changed(node, **{name: None}))
    optional = "none" in site.observation.kinds and len(site.observation.kinds) > 1
    used = not isinstance(site.parent, ast.Attribute | ast.Subscript)
    if optional and used and isinstance(site.node, ast.Name | ast.Attribute | ast.Call):
        yield Change(ast.Constant(None))


@operator("opposite")
def _opposite(site: Site) -> Iterator[Change]:
    """Call another function of the same signature."""
    match site.node:
        case ast.Attribute(attr=name) if name in _OPPOSITES:
            yield Change(changed(site.node, attr=_OPPOSITES[name]))
        case ast.Name(id=name) if name in _OPPOSITES and isinstance(site.parent, ast.Call):
            yield Change(changed(site.node, id=_OPPOSITES[name]))
        case ast.IfExp(body=body, orelse=orelse):
            yield Change(changed(site.node, body=orelse, orelse=body))


@operator("last-of-equal")
def _last_of_equal(site: Site) -> Iterator[Change]:
    """Take the last of equal maxima, or sort with unstable ties."""
    match site.node:
        case ast.Call(func=ast.Attribute(attr="argmax", value=value)):
            yield Change(expression("_0.shape[-1] - 1 - _0[..., ::-1].argmax(axis=-1)", value))


@operator("constant")
def _constant(site: Site) -> Iterator[Change]:
    """Change a number by one, double it, or set it to 0; change a truth value."""
    match site.node:
        case ast.Constant(value=bool() as value):
            yield Change(ast.Constant(not value))
        case ast.Constant(value=int() as value):
            yield from (Change(ast.Constant(value + step)) for step in (1, -1))
            if value > 2:
                yield Change(ast.Constant(2 * value))
        case ast.Constant(value=float() as value) if value:
            yield from (Change(ast.Constant(value * factor)) for factor in (1.001, 2.0))
            yield Change(ast.Constant(0.0))


@operator("any-error")
def _any_error(site: Site) -> Iterator[Change]:
    """Catch every exception in place of one kind."""
    if isinstance(site.node, ast.ExceptHandler) and site.node.type is not None:
        yield Change(changed(site.node, type=ast.Name("Exception", ast.Load())))
