"""The vectors: packages with what is known about them, as `vectors/index.json` lists them."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.registry import registry

VECTORS = Path(__file__).parent.parent / "vectors"


class VectorsError(Exception):
    """The vectors are missing, empty or not what their index says: nothing can be concluded from a run."""


@dataclass(frozen=True)
class Vector:
    """One package: a valid one with the weights of its tensors, or one whose first fault is `rules[0]`."""

    id: str
    valid: bool
    package: Path
    description: str
    rules: tuple[str, ...]
    tensors: Mapping[str, Path]
    setup: tuple[Mapping[str, Any], ...] = ()

    def prepared(self, workspace: Path) -> Path:
        """Return the package's directory; where there is a set-up, a copy in `workspace` that underwent it.

        A set-up makes what a repository cannot hold: FIFOs, links, directories in a file's place, terabytes.
        """
        if not self.setup:
            return self.package
        copy = workspace / self.id
        shutil.copytree(self.package, copy)
        for step in self.setup:
            set_up(copy, step)
        return copy


def set_up(package: Path, step: Mapping[str, Any]) -> None:
    """Do one step of a set-up."""
    file = package / step["file"]
    match step["op"]:
        case "truncate":
            os.truncate(file, step["byte_length"])
        case "rename":
            file.rename(package / step["to"])
        case "remove":
            file.unlink()
        case "fifo" | "symlink" | "directory" as kind:
            file.unlink(missing_ok=True)
            if kind == "fifo":
                os.mkfifo(file)
            elif kind == "symlink":
                file.symlink_to(step["target"])
            else:
                file.mkdir()
        case unknown:
            raise VectorsError(f"no set-up is called {unknown!r}")


def load(directory: Path = VECTORS) -> list[Vector]:
    """Return the vectors of a directory, in the order of its index; having none of a kind is an error."""
    index = directory / "index.json"
    try:
        entries = json.loads(index.read_text(encoding="utf-8"))["vectors"]
        vectors = [_vector(directory, entry) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VectorsError(f"{index} cannot be used: {type(error).__name__}: {error}") from error
    for valid, kind in ((True, "valid"), (False, "invalid")):
        if not any(vector.valid is valid for vector in vectors):
            raise VectorsError(f"{index} lists no {kind} vectors: a run would prove nothing")
    twice = [name for name, count in Counter(vector.id for vector in vectors).items() if count > 1]
    if twice:
        raise VectorsError(f"{index} lists more than once: {', '.join(twice)}")
    return vectors


def _vector(directory: Path, entry: Mapping[str, Any]) -> Vector:
    if entry["kind"] not in ("valid", "invalid"):
        raise ValueError(f"{entry['id']} is of kind {entry['kind']!r}")
    unknown = [rule for rule in entry["rules"] if rule not in registry()]
    if unknown or not entry["rules"]:
        cited = f"{', '.join(unknown)}, which is no rule" if unknown else "no rule"
        raise ValueError(f"{entry['id']} cites {cited}")
    return Vector(
        id=entry["id"],
        valid=entry["kind"] == "valid",
        package=(directory / entry["path"]).resolve(),
        description=entry["description"],
        rules=tuple(entry["rules"]),
        tensors={name: directory / path for name, path in entry.get("tensors", {}).items()},
        setup=tuple(entry.get("setup", ())),
    )
