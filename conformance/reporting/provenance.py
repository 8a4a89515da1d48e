"""What a report was made with: digests of suite, vectors and adapter, versions, and the machine."""

import hashlib
import inspect
import os
import platform
import shlex
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from ..core.rules import RULES
from ..core.runtime import Runtime
from ..core.vectors import Vector
from ..runtimes.in_process import InProcessRuntime

HERE = Path(__file__).parents[1]
CODE = {".py", ".json", ".html", ".css", ".js"}
"""Kinds of files that make up the suite."""

EXCLUDED = {"vectors", "spec", "__pycache__"}
"""Folders next to the suite's modules in an installation that are not part of the suite."""


def suite() -> dict[str, str]:
    """Return version and SHA-256 of the suite: its code, pages, schemas, and the registry of rules."""
    files = [path for path in HERE.rglob("*") if path.suffix in CODE]
    named_files = [(path.relative_to(HERE).as_posix(), path) for path in files]
    suite_files = [(name, path) for name, path in named_files if not EXCLUDED & set(Path(name).parts)]
    return {"format": "1.0", "version": _version(), "sha256": digest([*suite_files, ("rules.json", RULES)])}


def vectors(directory: Path, vector_list: Sequence[Vector]) -> dict[str, Any]:
    """Return number and SHA-256 of the vectors: the index and every file that it names."""
    files: set[Path] = set()
    for vector in vector_list:
        members = (vector.home / value for value in vector.members.values() if isinstance(value, str))
        weights = (vector.home / path for path in vector.members.get("weights", {}).values())
        vocabulary = {vector.file("vocabulary")} if "vocabulary" in vector.members else set()
        package = {vector.recipe.files, vector.recipe.recipe} if vector.recipe else {vector.package}
        places = {*package, *vector.tensors.values(), *weights, *vocabulary} - {vector.home}
        files |= places | {path for path in members if path.suffix == ".npy" and path.is_file()}
    all_files = {file for place in files for file in ([place] if place.is_file() else place.rglob("*"))}
    home = directory.resolve()
    named_files = [(os.path.relpath(path.resolve(), home), path) for path in all_files if path.is_file()]
    return {
        "count": len(vector_list),
        "sha256": digest([*named_files, ("index.json", directory / "index.json")]),
    }


def adapter(spec: str, runtime: Runtime) -> list[dict[str, str]]:
    """Return name and SHA-256 of the files of an adapter, as far as `--runtime` names them.

    Of a command these are the files among its words, of a runtime in Python the module of its class.
    """
    if isinstance(runtime, InProcessRuntime):
        try:
            source = inspect.getsourcefile(type(runtime.runtime))
        except TypeError:  # written in another language
            source = None
        paths = [Path(source)] if source else []
    else:
        words = shlex.split(spec.partition(":")[2])
        paths = [Path(word) for word in words if Path(word).is_file()]
    return [{"file": _public_path(path), "sha256": _sha256(path)} for path in paths]


def host() -> dict[str, Any]:
    """Return what the machine is, without its name."""
    return {
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count() or 1,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "numpy": np.__version__,
    }


def digest(files: Iterable[tuple[str, Path]]) -> str:
    """Return the SHA-256 of lines `SHA-256 of a file, two spaces, its name`, sorted by name."""
    lines = sorted((name, _sha256(path)) for name, path in files)
    return hashlib.sha256("".join(f"{sha}  {name}\n" for name, sha in lines).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _public_path(path: Path) -> str:
    """Return a path without the directory in which the suite runs, or the home of who runs it."""
    resolved = path.resolve()
    directory = Path.cwd()
    return resolved.relative_to(directory).as_posix() if resolved.is_relative_to(directory) else path.name


def _version() -> str:
    """Return the version of the distribution that the suite belongs to, where there is one."""
    for name in ("llq-conformance", "llq-format"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "source tree"
