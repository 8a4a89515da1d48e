"""The rooms of `web/src`: which may import which, and that no imports form a cycle."""

import posixpath
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "web" / "src"
ROOMS = ("site.js", "errors.js", "package", "net", "gpu", "text", "api")
"""From the lowest, which imports nothing, to the highest. Rooms import lower rooms and themselves."""

_STATIC = re.compile(r'^(?:import|export)\b[^;"]*?from "(\.[^"]+)";|^import "(\.[^"]+)";', re.MULTILINE)
_DYNAMIC = re.compile(r'\bawait import\("(\.[^"]+)"\)')
_TYPE = re.compile(r'(?<!await )\bimport\("(\.[^"]+)"\)')
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def _modules() -> dict[str, str]:
    return {path.relative_to(SOURCES).as_posix(): path.read_text("utf-8") for path in SOURCES.rglob("*.js")}


MODULES = _modules()


def imports(module: str, *, types: bool) -> set[str]:
    """Return the modules that a module of `web/src` imports, including those of its types."""
    text = MODULES[module]
    code = _COMMENT.sub("", text)
    names = [*(first or second for first, second in _STATIC.findall(code)), *_DYNAMIC.findall(code)]
    if types:
        names += _TYPE.findall(text)
    return {posixpath.normpath(posixpath.join(posixpath.dirname(module), name)) for name in names}


def room(module: str) -> str:
    """Return the room of a module: its folder, or itself."""
    return module.split("/", maxsplit=1)[0]


def test_every_module_is_in_a_room() -> None:
    assert {room(module) for module in MODULES} == set(ROOMS)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_exist(module: str) -> None:
    assert imports(module, types=True) - set(MODULES) == set()


@pytest.mark.parametrize("module", sorted(MODULES))
def test_rooms_import_downwards_only(module: str) -> None:
    level = ROOMS.index(room(module))
    above = {name for name in imports(module, types=True) if ROOMS.index(room(name)) > level}
    assert above == set()


@pytest.mark.parametrize("types", [False, True], ids=["code", "types"])
def test_no_imports_form_a_cycle(types: bool) -> None:  # noqa: FBT001
    graph = {module: imports(module, types=types) - {module} for module in MODULES}
    assert set(TopologicalSorter(graph).static_order()) == set(MODULES)  # CycleError names the cycle


def test_the_strict_parser_is_imported_when_a_text_is_not_canonical_and_not_before() -> None:
    importers = {
        name: {module for module in MODULES if name in imports(module, types=False)}
        for name in ("package/json.js", "package/canonical_json.js")
    }
    assert importers == {
        "package/json.js": {"package/canonical_json.js"},
        "package/canonical_json.js": {"package/read_json.js"},
    }
    code = _COMMENT.sub("", MODULES["package/read_json.js"])
    assert _DYNAMIC.findall(code) == ["./canonical_json.js"]


def test_only_one_module_needs_node() -> None:
    users = {module for module, text in MODULES.items() if '"node:' in _COMMENT.sub("", text)}
    asking = {"text/text_thread.js", "text/text_worker.js"}  # they ask at run time whether there is Node
    assert users - asking == {"gpu/node_gpu.js"}
    assert all('getBuiltinModule?.("node:' in MODULES[module] for module in asking)
