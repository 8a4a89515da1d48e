"""Allowed imports, maximum lengths and names of modules."""

import ast
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.support import sample_packages
from tests.support.repository import ROOT
from tests.support.timeouts import seconds

# From the ground up: a room imports from rooms above it in its list, never from its own or later ones.
# A room is a subpackage with all of its modules, or a module next to the subpackages.
ROOMS = {
    "llq_format": (
        *(
            "files",
            "format",
            "html",
            "metadata",
            "validation",
            "package",
            "llq_format",
            "sandbox",
            "reference",
            "webgpu",
        ),
        *("exporting", "synth", "evaluation", "serving", "remote", "cli", "__main__"),
    ),
    "conformance": (
        *("conformance", "recipes", "core", "container", "operations", "runtimes", "exporters", "mutation"),
        *("diagnosis", "checks", "fresh", "reporting", "measurement", "selection", "fresh_options"),
        *("plugin", "conftest", "test_random", "test_vectors"),
    ),
    "vectors": ("vectors", "decoder64", "kit", "cases", "build"),
}

# What is large or an extra, and where it may be imported.
HEAVY = {
    "safetensors": ("llq_format/exporting/checkpoint/",),
    "gguf": ("llq_format/exporting/checkpoint/",),
    "torch": (),
    "tokenizers": ("llq_format/exporting/checkpoint/", "llq_format/sandbox/library_tokenizer.py"),
    "huggingface_hub": ("llq_format/remote/",),
    "fsspec": ("llq_format/remote/",),
    "jinja2": ("llq_format/sandbox/jinja_template.py",),
    "transformers": (),
    "wgpu": ("llq_format/webgpu/",),
    "starlette": ("llq_format/serving/", "conformance/runtimes/javascript/browser_server.py"),
    "uvicorn": ("llq_format/serving/", "conformance/runtimes/javascript/browser_server.py"),
    "typer": ("llq_format/cli/",),
    "rich": ("llq_format/cli/",),
}
CODE = ("llq_format", "conformance", "vectors", "examples", "benchmarks", "website")


def sources(*folders: str) -> list[Path]:
    """Return the Python files of some folders, relative to the root."""
    paths = [path.relative_to(ROOT) for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert paths
    return paths


def module_name(path: Path) -> str:
    """Return the dotted name of a file's module."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sources(*ROOMS)}


@cache
def imports(path: Path) -> frozenset[str]:
    """Return the modules that a file imports anywhere, by `import_module` with a literal name too."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = path.parts[: len(path.parts) - node.level] if node.level else ()
            assert not above or path.parts[0] == "conformance", f"{path} imports relatively"
            module = ".".join((*above, node.module or "")).rstrip(".")
            names = {f"{module}.{alias.name}" for alias in node.names}
            modules |= {name if name in MODULES else module for name in names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            package = ".".join(path.parts[:-1])
            literals = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
            modules |= {str(name if name[0] != "." else package + name) for name in literals}  # type: ignore[index, operator]  # a name is text
    return frozenset(modules)


def room(module: str) -> str:
    """Return the room of one of our modules; the package itself is the room of its `__init__`."""
    return module.split(".")[1] if "." in module else module


def ours(path: Path) -> set[str]:
    """Return the modules of its own package that a file imports."""
    package = f"{path.parts[0]}."
    return {name for name in imports(path) if name in MODULES and f"{name}.".startswith(package)} - {
        module_name(path)
    }


def top_levels(path: Path) -> set[str]:
    """Return the first parts of the names of the modules that a file imports."""
    return {name.split(".")[0] for name in imports(path)}


@pytest.mark.parametrize("package", ROOMS)
def test_every_room_has_its_place_in_the_order(package: str) -> None:
    assert {room(module) for module in MODULES if module.split(".")[0] == package} == set(ROOMS[package])


@pytest.mark.parametrize("package", ROOMS)
def test_rooms_import_one_way(package: str) -> None:
    order = ROOMS[package].index
    wrong = {
        f"{module} imports {imported}"
        for module, path in MODULES.items()
        for imported in ours(path)
        if path.parts[0] == package
        and room(imported) != room(module)
        and order(room(imported)) > order(room(module))
    }
    assert wrong == set()


@pytest.mark.parametrize("package", ROOMS)
def test_no_imports_form_a_cycle(package: str) -> None:
    graph = {module: ours(path) for module, path in MODULES.items() if path.parts[0] == package}
    order = TopologicalSorter(graph).static_order()
    assert set(order) == set(graph)  # CycleError names the cycle


def test_imports_of_our_own_modules_exist() -> None:
    for path in sources(*ROOMS):
        missing = {name for name in imports(path) if name.split(".")[0] in ROOMS} - set(MODULES)
        assert missing == set(), path


@pytest.mark.parametrize("library", HEAVY)
def test_heavy_libraries_are_imported_where_they_are_needed_and_nowhere_else(library: str) -> None:
    users = {
        str(path) for path in sources("llq_format", "conformance", "vectors") if library in top_levels(path)
    }
    allowed = HEAVY[library]
    assert {user for user in users if not user.startswith(allowed or "nowhere")} == set()
    assert all(any(user.startswith(place) for user in users) for place in allowed)


def test_the_kit_and_the_vectors_do_not_know_the_library_that_they_judge() -> None:
    strangers = {"llq_format", "conformance", "tests"}
    assert {path for path in sources("vectors") if strangers & top_levels(path)} == set()
    with_numpy = {path.parent for path in sources("vectors") if "numpy" in top_levels(path)}
    assert with_numpy == {Path("vectors/decoder64")}


def test_the_second_decoder_and_the_kit_share_no_arithmetic() -> None:
    assert {name for path in sources("vectors/decoder64") for name in ours(path) if ".kit" in name} == set()


def test_the_suite_knows_the_library_in_its_adapter_and_what_is_made_over_it_alone() -> None:
    users = {str(path) for path in sources("conformance") if "llq_format" in top_levels(path)}
    over_it = ("conformance/mutation/", "conformance/exporters/variants/")
    assert {user for user in users if not user.startswith(over_it)} == {
        "conformance/exporters/reference.py",
        "conformance/runtimes/reference.py",
        "conformance/runtimes/programs.py",
        "conformance/runtimes/webgpu.py",
    }
    assert {path for path in sources("conformance") if "tests" in top_levels(path)} == set()


def test_the_library_knows_none_of_its_judges() -> None:
    judges = {"tests", "conformance", "vectors", "benchmarks", "examples", "pytest", "hypothesis"}
    assert {path for path in sources("llq_format") if judges & top_levels(path)} == set()


def test_examples_are_self_contained() -> None:
    ours_ = {"llq_format", "conformance", "vectors", "tests", "benchmarks"}
    assert {path for path in sources("examples") if ours_ & top_levels(path)} == set()
    scripts = [*(ROOT / "examples").rglob("*.mjs"), *(ROOT / "examples").rglob("*.js")]
    for script in scripts:
        lines = script.read_text(encoding="utf-8").splitlines()
        from_elsewhere = [line for line in lines if line.startswith("import ") and '"node:' not in line]
        assert from_elsewhere == [], script


def test_the_specification_holds_no_code() -> None:
    kinds = {path.suffix for path in (ROOT / "spec").rglob("*") if path.is_file()}
    assert kinds == {".md", ".json", ".svg"}


def test_no_module_is_longer_than_400_lines() -> None:
    lengths = {
        str(path): len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in sources(*CODE)
    }
    assert {path: length for path, length in lengths.items() if length > 400} == {}


def test_every_module_says_what_it_is() -> None:
    undocumented = {
        path
        for path in sources(*CODE, "tests")
        if not ast.get_docstring(ast.parse((ROOT / path).read_text()))
    }
    assert undocumented == set()


BLOCK = """
import sys
from importlib.abc import MetaPathFinder
class Blocked(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in sys.argv[1].split(","):
            raise ModuleNotFoundError(f"no module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
"""
READ = """
import llq_format
assert llq_format.validate(sys.argv[2]) == []
with llq_format.open(sys.argv[2]) as package:
    assert package.get_tensor("b").shape == (130, 70)
"""
COMMAND = """
from llq_format.cli import main
sys.argv = ["llq", "validate", sys.argv[2]]
main()
"""


@pytest.mark.parametrize(
    ("script", "present"), [(READ, ()), (COMMAND, ("typer", "rich"))], ids=["library", "command"]
)
def test_the_core_works_without_heavy_libraries(
    script: str, present: tuple[str, ...], tmp_path: Path
) -> None:
    sample_packages.write_tensors(tmp_path / "p")
    blocked = ",".join(sorted(set(HEAVY) - set(present)))
    process = subprocess.run(  # noqa: S603  # our own interpreter and script
        [sys.executable, "-c", BLOCK + script, blocked, str(tmp_path / "p")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=seconds(60),
        check=False,
    )
    assert process.returncode == 0, process.stderr
