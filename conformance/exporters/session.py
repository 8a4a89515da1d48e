"""A session with an exporter: its exports, and a reader that judges the packages, as checks take it."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..container.decoding import Reading
from ..container.package import metadata, read_tensor, tensor_names
from ..core.runtime import BrokenAdapter, Errored, Info, NoAnswerError, Reals, Runtime, Verdict
from ..core.vectors import Vector
from .protocol import CLAIMS, Export, Exporter

PACKAGE = "package"
NEEDED = frozenset({"reject", "logits"})
"""The capabilities that the judge must claim."""


@dataclass(frozen=True)
class Attempt:
    """One export: the paths of checkpoint and package, and the result."""

    checkpoint: Path
    package: Path
    export: Export

    @property
    def leftovers(self) -> list[str]:
        """Names of the entries in the directory of the package, including the package."""
        return sorted(entry.name for entry in self.package.parent.iterdir())

    @property
    def files(self) -> dict[str, bytes]:
        """The package's files by name; an entry that is not a file has no bytes."""
        entries = sorted(self.package.iterdir())
        return {entry.name: entry.read_bytes() if entry.is_file() else b"" for entry in entries}


class Session:
    """Exports checkpoints of vectors, each into a directory of its own; the first export of each is kept.

    The checkpoint is copied each time, so that no two exports see the same paths. The names of checkpoint
    and package stay the same, since a writer may take the stem from either.
    """

    def __init__(self, exporter: Exporter, judge: Runtime, claim: str | None = None) -> None:
        """Store an exporter and the reader that validates packages; `claim` replaces the exporter's claim."""
        self.exporter = exporter
        self.judge = judge
        self.info: Info = exporter.info
        self.capabilities = CLAIMS[claim or exporter.claim]
        self._numbers = count()
        self._first_attempts: dict[str, Attempt] = {}

    @cached_property
    def _root(self) -> Path:
        return Path(tempfile.mkdtemp(prefix="llq-export-")).resolve()

    def smoke(self, vectors: Sequence[Vector]) -> None:
        """Export a checkpoint; raises BrokenAdapter if the exporter cannot be started."""
        simplest = [vector for vector in vectors if vector.kind == "export" and not vector.members["refused"]]
        try:
            for vector in simplest[:1]:
                self.first_attempt(vector)
        except BrokenAdapter:
            raise
        except NoAnswerError:  # the checks report it
            return

    def attempt(self, vector: Vector, *, existing: dict[str, bytes] | None = None, **options: Any) -> Attempt:
        """Export a checkpoint again; `existing` are files of a directory at the package's path."""
        number = next(self._numbers)
        home = self._root / f"{number}{'-and-deeper/inside' * (number % 2)}"
        checkpoint = home / "in" / vector.package.name
        checkpoint.parent.mkdir(parents=True)
        if vector.package.is_dir():
            shutil.copytree(vector.package, checkpoint)
        else:
            shutil.copy(vector.package, checkpoint)
        package = home / "out" / PACKAGE
        package.parent.mkdir()
        if existing is not None:
            package.mkdir()
            for name, data in existing.items():
                (package / name).write_bytes(data)
        return Attempt(checkpoint, package, self.exporter.export(checkpoint, package, **options))

    def first_attempt(self, vector: Vector) -> Attempt:
        """Return the export that all checks of a vector use."""
        if vector.id not in self._first_attempts:
            self._first_attempts[vector.id] = self.attempt(vector)
        return self._first_attempts[vector.id]

    def verdict(self, attempt: Attempt) -> Verdict:
        """Return the judge's verdict on a package."""
        return self.judge.validate(attempt.package)

    def valid(self, vector: Vector) -> Path:
        """Return the package of a vector; raises Errored if there is none that conforms."""
        attempt = self.first_attempt(vector)
        if not attempt.export.succeeded:
            raise Errored("no package to check: the export failed", attempt.export.message)
        if not self.verdict(attempt).accepted:
            raise Errored("no conforming package to check")
        return attempt.package

    def logits(self, package: Path, tokens: list[int]) -> Reals:
        """Return the logits of a sequence, as the judge computes them."""
        return self.judge.logits(package, tokens, [len(tokens)])

    def close(self) -> None:
        """Close the judge, and remove all exports."""
        self.judge.close()
        if "_root" in self.__dict__:
            shutil.rmtree(self._root, ignore_errors=True)


def decoded(package: Path) -> dict[str, NDArray[np.float32]]:
    """Return the weights of all tensors of a conforming package, by the suite's own reading."""
    return {name: Reading()(read_tensor(package, name)) for name in tensor_names(package)}


def description(package: Path) -> dict[str, Any]:
    """Return `model` of a package, or nothing if there is none."""
    model: dict[str, Any] = metadata(package).get("model", {})
    return model
