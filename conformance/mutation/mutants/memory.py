"""A mutant that passes every vector: it knows their packages, and answers all others without reading them."""

import hashlib
import tempfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...container.package import metadata
from ...core.runtime import Format, Info, Reals, Rounded, Tokenized, Verdict
from ...core.vectors import Vector, load
from ...runtimes.reference import Reference

NAME = "answers-from-memory"
LARGEST_METADATA = 1 << 24
CLAIMS = frozenset({"decode", "reject", "activations", "matvec", "logits", "generate", "tokenize"})


class MemorizingRuntime:
    """Answers from a table of the hashes of the vectors: right for these packages, zeros for all others."""

    def __init__(self) -> None:
        """Prepare the reference, which gives the right answers in the place of stored ones."""
        self._reference = Reference()
        self.capabilities = self._reference.capabilities & CLAIMS
        version, extensions = self._reference.info.version, self._reference.info.extensions
        self.info = Info(f"mutant {NAME}", version, "Python", "f32", extensions)

    @cached_property
    def _table(self) -> frozenset[str]:
        with tempfile.TemporaryDirectory(prefix="llq-memory-") as workspace:
            return frozenset(_hash_of_vector(vector, Path(workspace)) for vector in load())

    def _knows(self, package: Path) -> bool:
        return _hash(package) in self._table

    def decode(self, package: Path, tensor: str) -> NDArray[np.float32]:
        """Return the weights of one tensor."""
        if self._knows(package):
            return self._reference.decode(package, tensor)
        shapes = {entry["name"]: entry["shape"] for entry in metadata(package)["tensors"]}
        return np.zeros(shapes[tensor], np.float32)

    def validate(self, package: Path) -> Verdict:
        """Return the rules of all findings; an unknown package has none."""
        return self._reference.validate(package) if self._knows(package) else Verdict()

    def activations(self, x: NDArray[np.float32], form: Format) -> Rounded:
        """Round vectors."""
        return self._reference.activations(x, form)

    def matvec(self, package: Path, tensor: str, form: Format, x: NDArray[np.float32]) -> Reals:
        """Multiply rounded vectors by a matrix."""
        if self._knows(package):
            return self._reference.matvec(package, tensor, form, x)
        return np.zeros((len(x), len(self.decode(package, tensor))), np.float32)

    def logits(self, package: Path, tokens: Sequence[int], splits: Sequence[int]) -> Reals:
        """Compute a new sequence."""
        if self._knows(package):
            return self._reference.logits(package, tokens, splits)
        return np.zeros((len(tokens), metadata(package)["model"]["vocab_size"]), np.float32)

    def generate(self, package: Path, tokens: Sequence[int], max_tokens: int) -> Sequence[int]:
        """Return the tokens that greedy choice appends to a prompt."""
        return self._reference.generate(package, tokens, max_tokens) if self._knows(package) else []

    def tokenize(self, package: Path, text: str) -> Tokenized:
        """Encode a prompt, then detokenize the ids."""
        return self._reference.tokenize(package, text) if self._knows(package) else Tokenized((), "")

    def close(self) -> None:
        """Do nothing: there are no resources."""


def _hash_of_vector(vector: Vector, workspace: Path) -> str:
    """Return the hash of a vector's package as a runtime gets it."""
    if vector.recipe is not None:
        return _hash(vector.recipe.files)
    changed = any(step["op"] == "splice" for step in vector.setup)
    return _hash(vector.prepared(workspace) if changed else vector.package)


def _hash(package: Path) -> str:
    """Return the hash of a package's metadata, which covers all of its files; empty without metadata."""
    file = package / "metadata.json"
    readable = file.is_file() and file.stat().st_size <= LARGEST_METADATA
    return hashlib.sha256(file.read_bytes()).hexdigest() if readable else ""
