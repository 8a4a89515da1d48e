"""The import of a changed module: nothing on disk changes, and every other module sees the change."""

import ast
import builtins
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

from . import effects
from .sources import path_of

ADAPTER = "conformance.runtimes.reference"
"""The module that reaches the reference."""


class _TreeLoader(SourceFileLoader):
    """Loads a module from a tree."""

    def __init__(self, name: str, tree: ast.Module) -> None:
        super().__init__(name, str(path_of(name)))
        self._tree = tree

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._tree, self.get_filename(fullname), "exec")


class _TreeFinder(MetaPathFinder):
    def __init__(self, trees: Mapping[str, ast.Module]) -> None:
        self._trees = trees

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._trees:
            return None
        loader = _TreeLoader(fullname, self._trees[fullname])
        return spec_from_file_location(fullname, path_of(fullname), loader=loader)


def _importers(modules: frozenset[str]) -> set[str]:
    """Return modules, and the imported ones that import them, directly or not."""
    imports = _imports()
    found: set[str] = set()
    more = set(modules)
    while more:
        found |= more
        more = {name for name, imported in imports.items() if imported & more} - found
    return found


@cache
def _imports() -> Mapping[str, frozenset[str]]:
    """Return what each module of the reference that is imported now imports, modules and names in them."""
    loaded = [name for name in sys.modules if name.startswith(("llq_format", ADAPTER))]
    return {name: _imported(Path(str(sys.modules[name].__file__))) for name in loaded}


def _imported(path: Path) -> frozenset[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=aliases):
                names.update(alias.name for alias in aliases)
            case ast.ImportFrom(module=str(module), names=aliases, level=0):
                names.update((module, *(f"{module}.{alias.name}" for alias in aliases)))
    return frozenset(names)


def _forget(name: str) -> None:
    """Remove a module from those that are imported, and from its package."""
    module = sys.modules.pop(name, None)
    package, _, last = name.rpartition(".")
    members = vars(sys.modules[package]) if package in sys.modules else {}
    if module is not None and members.get(last) is module:
        del members[last]


def preload() -> None:
    """Import the reference and its adapter, so that processes that fork import only what a mutant changes."""
    import_module(ADAPTER)
    _imports()


def use(trees: Mapping[str, ast.Module], **names: object) -> None:
    """Let the imports of these modules use trees, in which the names of effects and more names are defined.

    These modules, and those that import them, are imported again if they were imported before.
    """
    for name in _importers(frozenset(trees)):
        _forget(name)
    defined = {"__mutation__": effects.EFFECTS, "__kept__": effects.kept, **names}
    for name, value in defined.items():
        setattr(builtins, name, value)
    sys.meta_path.insert(0, _TreeFinder(trees))
