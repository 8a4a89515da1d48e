"""Operators on state: what an implementation keeps between calls although it depends on more."""

import ast
from collections.abc import Iterator
from typing import Any

from .operator import Change, Site, changed, expression, operator


@operator("kept-result")
def _kept_result(site: Site) -> Iterator[Change]:
    """Keep the results of a function, and ignore one of its arguments when looking for them."""
    match site.node:
        case ast.FunctionDef(args=ast.arguments(args=parameters), decorator_list=decorators) as node:
            if _generates(node) or any(not _is_method_decorator(d) for d in decorators):
                return
            for at in range(len(parameters)):
                decorator = expression(f"__kept__({at})")
                yield Change(changed(node, decorator_list=[*decorators, decorator]))


def _generates(function: ast.FunctionDef) -> bool:
    return any(isinstance(part, ast.Yield | ast.YieldFrom) for part in ast.walk(function))


def _is_method_decorator(decorator: ast.expr) -> bool:
    return ast.unparse(decorator) in ("classmethod", "staticmethod", "property")


@operator("shared-default")
def _shared_default(site: Site) -> Iterator[Change]:
    """Share the default value of a field between all objects."""
    match site.node:
        case ast.keyword(arg="default_factory", value=value):
            factory = expression("(lambda shared: lambda: shared)(_0())", value)
            yield Change(changed(site.node, value=factory))


@operator("stale-attribute")
def _stale_attribute(site: Site) -> Iterator[Change]:
    """Let the objects of a class share an attribute that the first of them sets."""
    match site.node:
        case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)], value=value) as node:
            shared = expression(f"vars(type(self)).get('__{name}', _0)", value)
            keep = expression(f"setattr(type(self), '__{name}', self.{name})")
            statements: list[Any] = [changed(node, value=shared), ast.Expr(keep)]
            yield Change(ast.If(ast.Constant(value=True), statements, []))
