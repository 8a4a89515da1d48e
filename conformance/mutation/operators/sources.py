"""The modules that operators change, as numbered syntax trees."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]

AREAS = {
    "decoder": (*("activations", "attention", "ffn", "forward", "matrix", "moe", "ops", "rope"),),
    "generation": ("generation", "sampling"),
    "tokenizer": ("text",),
}
"""Modules of `llq_format.reference` by area."""

MODULES = {
    **{f"llq_format.reference.{name}": area for area, names in AREAS.items() for name in names},
    "conformance.runtimes.reference": "generation",
    "llq_format.package.reader": "reader",
    **{
        f"llq_format.format.{name}": "reader"
        for name in ("dequantize", "layout", "packing", "placement", "sections", "quantize")
    },
    **{
        f"llq_format.validation.{name}": "validation"
        for name in (
            *("execution", "hashes", "model", "module", "package_files", "parts", "payload", "program"),
            *("shards", "tensors", "text", "validate"),
        )
    },
    **{
        f"llq_format.metadata.{name}": "metadata"
        for name in ("canonical_json", "metadata", "model", "schema")
    },
}
"""The area of each module that operators change."""

_FINDINGS = {
    "Finding": (1, 2),
    "_finding": (1,),
    "fail": (1, 2),
    "_FramingError": (1, 2),
    "module_size": (0, 1),
    "program_size": (0,),
    "metadata_size": (0, 1),
    "_add": (1,),
    "Place": (0,),
}
"""What makes findings and places, and which positional arguments only people read: not code and rule."""

_MAKERS_OF_TEXTS = ("_excerpt", "_byte_offset", "pointer", "kind_of", "at", "scale_of")
"""Functions whose results only people read."""

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass
class Source:
    """The text and the tree of a module; every node knows its number, its parent and its place in it."""

    module: str
    path: Path
    text: str
    tree: ast.Module = field(init=False)

    def __post_init__(self) -> None:
        """Parse the text, and number the nodes."""
        self.tree = ast.parse(self.text)
        self.nodes = list(ast.walk(self.tree))
        self.parents: dict[ast.AST, tuple[ast.AST, str, int | None]] = {}
        for number, node in enumerate(self.nodes):
            node.number = number  # type: ignore[attr-defined]  # an addition to the tree
            for name, value in ast.iter_fields(node):
                if isinstance(value, ast.AST):
                    self.parents[value] = (node, name, None)
                elif isinstance(value, list):
                    places = ((i, item) for i, item in enumerate(value) if isinstance(item, ast.AST))
                    self.parents.update({item: (node, name, i) for i, item in places})

    @property
    def area(self) -> str:
        """The area of the module."""
        return MODULES.get(self.module, "")

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield the parent of a node, its parent, and so on."""
        while node in self.parents:
            node = self.parents[node][0]
            yield node

    def function(self, node: ast.AST) -> str:
        """Return the qualified name of the function or class around a node, or "" at the module's level."""
        scopes = (*_FUNCTIONS, ast.ClassDef)
        around = [a.name for a in (node, *self.ancestors(node)) if isinstance(a, scopes)]
        return ".".join(reversed(around))

    def in_text(self, node: ast.AST) -> bool:
        """Return whether a node is part of a message, an annotation or a decorator, which no answer shows."""
        return any(part in self._texts for part in (node, *self.ancestors(node)))

    @cached_property
    def _texts(self) -> set[ast.AST]:
        texts = {text for node in self.nodes for text in _texts_of(node)}
        size = -1
        while size < len(texts):
            size = len(texts)
            texts |= set(self._values_of_texts(texts))
        return texts

    def _values_of_texts(self, texts: set[ast.AST]) -> Iterator[ast.AST]:
        """Yield the values of variables that are used in texts only."""
        for function in self.nodes:
            if not isinstance(function, _FUNCTIONS):
                continue
            uses: dict[str, list[ast.AST]] = {}
            for node in ast.walk(function):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                    uses.setdefault(node.id, []).append(node)
            for node in ast.walk(function):
                match node:
                    case ast.Assign(targets=[ast.Name() | ast.Tuple() as target], value=value):
                        elements = target.elts if isinstance(target, ast.Tuple) else [target]
                        names = [e.id for e in elements if isinstance(e, ast.Name)]
                        used = [use for name in names for use in uses.get(name, ())]
                        only_names = len(names) == len(elements) and bool(used)
                        if only_names and all(texts.intersection((u, *self.ancestors(u))) for u in used):
                            yield value


def _texts_of(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the parts of a node that are messages, places, annotations or decorators."""
    match node:
        case ast.JoinedStr() | ast.Expr(value=ast.Constant()):
            yield node
        case ast.AnnAssign() | ast.arg() if node.annotation is not None:
            yield node.annotation
        case ast.FunctionDef(name=name, decorator_list=decorators, returns=returns):
            yield from (*decorators, *([returns] if returns else []))
            if name in _MAKERS_OF_TEXTS:
                yield node
        case ast.ClassDef(decorator_list=decorators):
            yield from decorators
        case ast.Call():
            yield from _texts_of_call(node)


def _texts_of_call(call: ast.Call) -> Iterator[ast.AST]:
    name = ast.unparse(call.func).split(".")[-1]
    if name.endswith("Error") and name not in _FINDINGS:
        yield from call.args
    elif name in _FINDINGS:
        yield from (keyword.value for keyword in call.keywords)
        yield from (call.args[at] for at in _FINDINGS[name] if at < len(call.args))
    if name == "Place":
        yield call


def path_of(module: str) -> Path:
    """Return the file of a module."""
    return REPOSITORY.joinpath(*module.split(".")).with_suffix(".py")


def load(module: str) -> Source:
    """Return the source of a module."""
    path = path_of(module)
    return Source(module, path, path.read_text(encoding="utf-8"))
