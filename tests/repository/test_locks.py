"""The lock files: they allow what `pyproject.toml` allows, and name no place to download from."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.repository import ROOT

LOCKED = ROOT / "requirements" / "locked.txt"
NPM_LOCKS = [
    ROOT / "web" / "package-lock.json",
    ROOT / "tests" / "llq_format" / "webgpu" / "kernels" / "package-lock.json",
    ROOT / "tests" / "llq_format" / "cli" / "kaitai" / "package-lock.json",
    ROOT / "tests" / "web" / "typescript" / "package-lock.json",
    ROOT / "tests" / "website" / "package-lock.json",
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]


def declared(extra: str) -> list[Requirement]:
    """Return the requirements of an extra, with those of the extras that it includes."""
    requirements = [Requirement(line) for line in EXTRAS[extra]]
    own = [
        requirement
        for requirement in requirements
        if canonicalize_name(requirement.name) == PROJECT["project"]["name"]
    ]
    foreign = [requirement for requirement in requirements if requirement not in own]
    return [
        *foreign,
        *(requirement for name in own for part in sorted(name.extras) for requirement in declared(part)),
    ]


def entries() -> list[tuple[Requirement, int]]:
    """Return each entry of Python's lock with its number of hashes."""
    text = re.sub(r"^ *#.*\n", "", LOCKED.read_text("utf-8"), flags=re.MULTILINE)
    parts = [re.split(r"\s*\\\n\s*", entry.strip()) for entry in re.split(r"\n(?=\S)", text) if entry.strip()]
    return [(Requirement(head), len(hashes)) for head, *hashes in parts]


def test_the_lock_pins_versions_that_pyproject_allows() -> None:
    locked: dict[str, set[str]] = {}
    for requirement, _ in entries():
        (pin,) = requirement.specifier
        assert pin.operator == "=="
        locked.setdefault(requirement.name, set()).add(pin.version)
    requirements = [Requirement(line) for line in PROJECT["project"]["dependencies"]] + declared("dev")
    for requirement in requirements:
        versions = locked[canonicalize_name(requirement.name)]
        assert versions, requirement.name
        assert all(requirement.specifier.contains(version) for version in versions), requirement.name


def test_every_entry_of_the_lock_has_hashes() -> None:
    assert len(entries()) > 50
    assert [requirement.name for requirement, hashes in entries() if not hashes] == []


@pytest.mark.parametrize("lock", [LOCKED, *NPM_LOCKS], ids=lambda path: str(path.relative_to(ROOT)))
def test_a_lock_names_no_place_to_download_from(lock: Path) -> None:
    text = lock.read_text("utf-8")
    assert re.search(r"--(extra-)?index-url|--find-links|\"resolved\"", text) is None
    addresses = re.findall(r"https?://[^\s\"]+", text) if lock == LOCKED else []
    assert addresses == []


@pytest.mark.parametrize("lock", NPM_LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_npm_locks_have_hashes(lock: Path) -> None:
    packages = json.loads(lock.read_text("utf-8"))["packages"]
    assert [name for name, package in packages.items() if name and "integrity" not in package] == []
