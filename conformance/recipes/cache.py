"""The cache of packages that recipes state: one directory each, written once, checked before each use."""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from secrets import token_hex
from typing import Any

from .shards import shard_bytes

APPLICATION = "llq-conformance"


class RecipeError(Exception):
    """A recipe does not give the bytes whose hashes the metadata states."""


def cache_directory() -> Path:
    """Return the directory of the cache: `llq-conformance` in $XDG_CACHE_HOME, by default in ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / APPLICATION


@dataclass(frozen=True)
class RecipePackage:
    """A package whose shards a recipe states.

    name: the vector's id. files: the directory with all files except the shards. recipe: `recipe.json`.
    """

    name: str
    files: Path
    recipe: Path

    @cached_property
    def directory(self) -> Path:
        """The directory of the complete package, whose name changes with metadata and recipe."""
        content = (self.files / "metadata.json").read_bytes() + self.recipe.read_bytes()
        return cache_directory() / f"{self.name}-{hashlib.sha256(content).hexdigest()[:16]}"

    @cached_property
    def metadata(self) -> Any:
        """The contents of metadata.json."""
        return json.loads((self.files / "metadata.json").read_text(encoding="utf-8"))

    @property
    def size(self) -> int:
        """The size of the shards in bytes."""
        return sum(entry["byte_length"] for entry in self.metadata["shards"])

    def prepare(self) -> Path:
        """Return the directory of the complete package, written now unless it already exists undamaged.

        The directory appears atomically, so several processes may prepare it at the same time.
        Raises RecipeError if the hashes of the shards do not match the metadata.
        """
        return self._prepared

    @cached_property
    def _prepared(self) -> Path:
        """The directory of the complete package, which this process checks or writes once."""
        if self._intact():
            return self.directory
        self.directory.parent.mkdir(parents=True, exist_ok=True)
        partial = self.directory.with_name(f".{self.directory.name}.partial-{token_hex(4)}")
        try:
            self._write(partial)
            if self.directory.exists() and not self._intact():
                shutil.rmtree(self.directory, ignore_errors=True)
            try:
                partial.rename(self.directory)
            except OSError:  # another process was faster
                if not self._intact():
                    raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return self.directory

    def _write(self, directory: Path) -> None:
        shutil.copytree(self.files, directory)
        tensors = json.loads(self.recipe.read_text(encoding="utf-8"))["tensors"]
        shards = shard_bytes(self.metadata, tensors)
        for entry, shard in zip(self.metadata["shards"], shards, strict=True):
            if hashlib.sha256(shard).hexdigest() != entry["sha256"]:
                raise RecipeError(f"{self.recipe} does not give the bytes of {entry['file']}")
            (directory / entry["file"]).write_bytes(shard)

    def _intact(self) -> bool:
        """Return whether the directory holds the files, and shards with the hashes of the metadata."""
        try:
            for path in self.files.iterdir():
                if (self.directory / path.name).read_bytes() != path.read_bytes():
                    return False
            for entry in self.metadata["shards"]:
                with (self.directory / entry["file"]).open("rb") as file:
                    if hashlib.file_digest(file, "sha256").hexdigest() != entry["sha256"]:
                        return False
        except OSError:
            return False
        return True
