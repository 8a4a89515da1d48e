"""How the code around a site uses its value: changes that no use can see are not proposed."""

import ast

from .operator import Site

_BUFFERS = ("np.empty", "np.empty_like", "np.zeros_like")
"""Functions that make an array for results, whose values beforehand do not matter."""


def is_used(site: Site) -> bool:
    """Return whether the code around a site depends on its value, and not only on its shape or existence."""
    parent = site.parent
    match parent:
        case ast.Expr():
            return False  # a call whose result is discarded, such as one with `out=`
        case ast.Call(func=ast.Name(id="len")):
            return False
        case ast.Compare(ops=[ast.Is() | ast.IsNot()]):
            return False
    return not any(_makes_buffer(node) for node in (site.node, parent))


def is_scratch(site: Site) -> bool:
    """Return whether a node is a part of a buffer that the function fills before it reads it.

    A buffer that the function returns is a result.
    """
    node = site.node
    if isinstance(node, ast.Name) and not isinstance(site.parent, ast.Subscript):
        return False
    if isinstance(site.parent, ast.Subscript) and not isinstance(site.parent.ctx, ast.Load):
        return False
    while isinstance(node, ast.Subscript | ast.Attribute | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return isinstance(node, ast.Name) and _is_buffer(site, node.id)


def _is_buffer(site: Site, name: str) -> bool:
    """Return whether a name denotes a new buffer, and nothing else, in the function around a site."""
    functions = (a for a in site.source.ancestors(site.node) if isinstance(a, ast.FunctionDef))
    nodes = [node for function in functions for node in ast.walk(function)]
    assigned = [n for n in nodes if isinstance(n, ast.Assign) and any(_has(t, name) for t in n.targets)]
    returned = any(isinstance(node, ast.Return) and _has(node, name) for node in nodes)
    return bool(assigned) and not returned and all(_makes_buffer(node.value) for node in assigned)


def _has(node: ast.AST, name: str) -> bool:
    return any(isinstance(part, ast.Name) and part.id == name for part in ast.walk(node))


def _makes_buffer(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) in _BUFFERS


def consumer(site: Site) -> str:
    """Return the name of the function that takes the items of an iterated value, or "" for a loop.

    The items of a comprehension are those of what it goes through; `set` and `dict` may be comprehensions.
    """
    parents = site.source.parents
    node: ast.AST = site.node
    parent: ast.AST | None = site.parent
    if isinstance(parent, ast.comprehension):
        node = parents[parent][0]
        if isinstance(node, ast.SetComp | ast.DictComp):
            return "set" if isinstance(node, ast.SetComp) else "dict"
        parent = parents[node][0]
    return ast.unparse(parent.func) if isinstance(parent, ast.Call) and node in parent.args else ""
