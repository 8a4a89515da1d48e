"""The import of a changed module: nothing on disk changes, and every other module sees the change."""

import ast
import builtins
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from types import CodeType, ModuleType

from . import effects
from .sources import path_of


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


def use(trees: Mapping[str, ast.Module], **names: object) -> None:
    """Let the imports of these modules use trees, in which the names of effects and more names are defined.

    Raises RuntimeError if `llq_format` is imported already: the change would have no effect.
    """
    if "llq_format" in sys.modules:
        raise RuntimeError("llq_format is imported already: mutants need a process that has not imported it")
    defined = {"__mutation__": effects.EFFECTS, "__kept__": effects.kept, **names}
    for name, value in defined.items():
        setattr(builtins, name, value)
    sys.meta_path.insert(0, _TreeFinder(trees))
