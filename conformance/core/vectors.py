"""The vectors: questions with their expected answers, as `vectors/data/index.json` lists them."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..recipes.cache import RecipePackage
from .data import data
from .rules import registry

VECTORS = data("vectors") / "data"

MEMBERS = {
    "valid": ("path",),
    "invalid": ("path",),
    "activations": ("format", "input"),
    "matvec": ("package", "tensor", "format", "input", "expected", "bound"),
    "logits": ("package", "tokens", "splits", "expected", "bounds"),
    "distribution": ("package", "prompts", "expected", "legal_f32", "legal_f16"),
    "generate": ("package", "tokens", "max_tokens", "expected"),
    "sample": ("logits", "draws"),
    "adjust": ("logits", "draws"),
    "tokenize": ("package", "text", "ids", "decoded"),
    "export": ("checkpoint", "refused"),
    "api": ("package", "steps", "faults"),
}
"""The kinds of vectors, and the members of each in addition to id, description and rules."""


class VectorsError(Exception):
    """The vectors are missing or do not match their index."""


@dataclass(frozen=True)
class Vector:
    """A valid package, a package whose first error breaks `rules[0]`, or a computation.

    A vector of the kind `export` has a checkpoint in the package's place.

    `members` are the members of its entry in the index; paths in them are relative to `home`.
    `recipe` states the shards of a package that the vectors do not store; `package` is then in the cache.
    """

    id: str
    kind: str
    package: Path
    description: str
    rules: tuple[str, ...]
    tensors: Mapping[str, Path] = field(default_factory=dict)
    setup: tuple[Mapping[str, Any], ...] = ()
    members: Mapping[str, Any] = field(default_factory=dict)
    home: Path = VECTORS
    recipe: RecipePackage | None = None

    @property
    def extensions(self) -> tuple[str, ...]:
        """The extensions of the format that a runtime needs for the expected answer."""
        return tuple(self.members.get("extensions", ()))

    @property
    def valid(self) -> bool:
        """Whether it is a conforming package."""
        return self.kind == "valid"

    def file(self, member: str) -> Path:
        """Return the file that a member names."""
        return self.home / str(self.members[member])

    def array(self, member: str) -> NDArray[Any]:
        """Return the array in the file that a member names."""
        array: NDArray[Any] = np.load(self.file(member), allow_pickle=False)
        return array

    def prepared(self, workspace: Path) -> Path:
        """Return the package's directory; where there is a set-up, a copy in `workspace` that underwent it.

        A set-up makes what a repository cannot or need not hold: FIFOs, links, directories in a file's place,
        terabytes, and small changes of the package of another vector.
        A recipe makes a package that a repository should not hold: it is written into the cache.
        """
        if self.recipe:
            return self.recipe.prepare()
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
        case "splice":
            file.write_bytes(spliced(file.read_bytes(), step))
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
            raise VectorsError(f"unknown set-up operation {unknown!r}")


def spliced(data: bytes, step: Mapping[str, Any]) -> bytes:
    """Return the bytes of a file with some replaced by a text.

    The text is repeated `count` times, and `<n>` in it is the number of the repetition.
    """
    repetitions = (step["text"].replace("<n>", f"{number:06d}") for number in range(step.get("count", 1)))
    start, end = step["offset"], step["offset"] + step["length"]
    return data[:start] + "".join(repetitions).encode() + data[end:]


def load(directory: Path = VECTORS) -> list[Vector]:
    """Return the vectors of a directory, in the order of its index.

    Having none of a kind is an error, except in a directory of fresh vectors, which holds one question.
    """
    index = directory / "index.json"
    try:
        value = json.loads(index.read_text(encoding="utf-8"))
        vectors = [_vector(directory, entry) for entry in value["vectors"]]
        fresh = value.get("fresh") is True
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VectorsError(f"{index} cannot be used: {type(error).__name__}: {error}") from error
    for kind in () if fresh else ("valid", "invalid"):
        if not any(vector.kind == kind for vector in vectors):
            raise VectorsError(f"{index} lists no {kind} vectors, expected at least one")
    repeated = [name for name, count in Counter(vector.id for vector in vectors).items() if count > 1]
    if repeated:
        raise VectorsError(f"{index} contains duplicate ids: {', '.join(repeated)}")
    return vectors


def _path(entry: Mapping[str, Any]) -> str:
    """Return the path of the package, or of the checkpoint; a vector may have neither."""
    return str(entry.get("path", entry.get("package", entry.get("checkpoint", ""))))


def _vector(directory: Path, entry: Mapping[str, Any]) -> Vector:
    if entry["kind"] not in MEMBERS:
        raise ValueError(f"{entry['id']} is of kind {entry['kind']!r}, expected one of {', '.join(MEMBERS)}")
    unknown = [rule for rule in entry["rules"] if rule not in registry()]
    if unknown or not entry["rules"]:
        cited = f"{', '.join(unknown)}, which is not a rule" if unknown else "no rule"
        raise ValueError(f"{entry['id']} cites {cited}")
    missing_members = [member for member in MEMBERS[entry["kind"]] if member not in entry]
    if missing_members:
        raise ValueError(f"{entry['id']} has no member {', '.join(missing_members)}")
    package, recipe = (directory / _path(entry)).resolve(), None
    if "recipe" in entry:
        recipe = RecipePackage(entry["id"], package, (directory / entry["recipe"]).resolve())
    return Vector(
        id=entry["id"],
        kind=entry["kind"],
        package=recipe.directory if recipe else package,
        description=entry["description"],
        rules=tuple(entry["rules"]),
        tensors={name: directory / path for name, path in entry.get("tensors", {}).items()},
        setup=tuple(entry.get("setup", ())),
        members=entry,
        home=directory.resolve(),
        recipe=recipe,
    )
