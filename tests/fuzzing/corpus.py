"""The packages that are mutated: small vectors, and every mutant that showed a new behaviour."""

import hashlib
import json
import shutil
from pathlib import Path
from random import Random

from tests.fuzzing.package import METADATA, PROGRAM, Kind, Package, load, size, write
from tests.support.repository import ROOT

MAX_SEED_BYTES = 20_000
MAX_KEPT_BYTES = 60_000
MOST_CODES = 3  # a package with more findings is made of packages that are kept
_DATA = ROOT / "vectors" / "data"


class Corpus:
    """Packages by weight: conforming vectors are mutated most, for one error at a time."""

    def __init__(self, directory: Path | None) -> None:
        """Load the vectors, and what an earlier campaign kept in a directory."""
        self._valid, self._invalid = _vectors("valid"), _vectors("invalid")
        by_parts = [[package for package in self._valid if _parts(package) == parts] for parts in _PARTS]
        self._valid_by_parts = [packages for packages in by_parts if packages]
        self._kept: list[Package] = []
        self._behaviours: set[tuple[str, ...]] = set()
        self._directory = directory
        if directory is not None and directory.is_dir():
            self._load(directory)

    def __len__(self) -> int:
        """Return the number of packages."""
        return len(self._valid) + len(self._invalid) + len(self._kept)

    @property
    def behaviours(self) -> int:
        """The number of different behaviours that were seen."""
        return len(self._behaviours)

    def pick(self, rng: Random) -> Package:
        """Return a package to be mutated."""
        choice = rng.random()
        if choice < 0.65 or (choice >= 0.8 and not self._kept):
            packages = rng.choices(self._valid_by_parts, _WEIGHTS[: len(self._valid_by_parts)])[0]
        else:
            packages = self._invalid if choice < 0.8 else self._kept
        # Small ones are read faster, and most of what can happen to a package can happen to a small one.
        return min(rng.choices(packages, k=2 if rng.random() < 0.7 else 1), key=_metadata_length)

    def smallest_valid(self) -> Package:
        """Return the smallest conforming vector."""
        return min(self._valid, key=size)

    def offer(self, package: Package, behaviour: tuple[str, ...]) -> None:
        """Keep a package if its behaviour is new."""
        if behaviour in self._behaviours or len(behaviour) > 1 + MOST_CODES:
            return
        self._behaviours.add(behaviour)
        if size(package) > MAX_KEPT_BYTES:
            return
        self._kept.append(package)
        if self._directory is not None:
            self._store(self._directory, package, behaviour)

    def _store(self, directory: Path, package: Package, behaviour: tuple[str, ...]) -> None:
        name = hashlib.sha256(repr(behaviour).encode()).hexdigest()[:16]
        shutil.rmtree(directory / name, ignore_errors=True)
        write(package, directory / name / "package")
        (directory / name / "behaviour.json").write_text(json.dumps(behaviour), encoding="utf-8")

    def _load(self, directory: Path) -> None:
        for entry in sorted(directory.iterdir()):
            behaviour = entry / "behaviour.json"
            if behaviour.is_file():
                self._behaviours.add(tuple(json.loads(behaviour.read_text(encoding="utf-8"))))
                self._kept.append(load(entry / "package"))


_PARTS = ("tensors", "model", "module", "program")
_WEIGHTS = (58, 12, 15, 15)
"""How often conforming packages of each kind are mutated; the last three kinds have few vectors."""


def _parts(package: Package) -> str:
    """Return the kind of a package, by what it has beyond tensors."""
    if PROGRAM in package:
        return "program"
    if any(name.endswith(".wgsl") for name in package):
        return "module"
    text = package.get(METADATA)
    return "model" if isinstance(text, bytes) and b'"model":' in text else "tensors"


def _metadata_length(package: Package) -> int:
    entry = package.get(METADATA)
    return len(entry) if isinstance(entry, bytes) else 0


def _vectors(kind: str) -> list[Package]:
    """Return the small packages of the vectors of a kind, as they are in the repository."""
    packages = []
    for directory in sorted((_DATA / kind).glob("*/package")):
        package = load(directory)
        small = size(package) <= MAX_SEED_BYTES
        if small and Kind.FIFO not in package.values():
            packages.append(package)
    return packages
