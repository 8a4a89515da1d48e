"""The cache of packages from recipes: written once, checked before use, replaced if damaged."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.core.vectors import VECTORS, load
from conformance.recipes.cache import RecipeError, RecipePackage, cache_directory

RECIPES = [vector.recipe for vector in load() if vector.recipe]
SMALL = min(RECIPES, key=lambda recipe: recipe.size)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "llq-conformance"


@pytest.fixture
def package() -> RecipePackage:
    """Return a package that this process has not prepared."""
    return RecipePackage("small", SMALL.files, SMALL.recipe)


@pytest.fixture
def written(package: RecipePackage) -> Iterator[Path]:
    """Return the shard of a package in the cache."""
    directory = package.prepare()
    (shard,) = directory.glob("*.llq")
    yield shard
    assert [path for path in directory.parent.iterdir() if path != directory] == []  # nothing is left behind


def again() -> Path:
    """Prepare the package as another process would."""
    return RecipePackage("small", SMALL.files, SMALL.recipe).prepare()


def test_a_package_is_complete(written: Path, cache: Path) -> None:
    assert written.parent.parent == cache == cache_directory()
    assert {path.name for path in written.parent.iterdir()} == {
        written.name,
        *(path.name for path in SMALL.files.iterdir()),
    }
    assert written.stat().st_size == SMALL.size


def test_a_package_is_reused(written: Path) -> None:
    time = written.stat().st_mtime_ns
    assert again() == written.parent
    assert written.stat().st_mtime_ns == time


@pytest.mark.parametrize("damage", ["changed", "cut", "missing", "directory missing"])
def test_a_damaged_package_is_written_again(written: Path, damage: str) -> None:
    data = written.read_bytes()
    if damage == "changed":
        written.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif damage == "cut":
        written.write_bytes(data[:-1])
    elif damage == "missing":
        written.unlink()
    else:
        shutil.rmtree(written.parent)
    assert again() == written.parent
    assert written.read_bytes() == data


def test_the_directory_changes_with_the_recipe(package: RecipePackage, tmp_path: Path) -> None:
    changed = tmp_path / "recipe.json"
    changed.write_bytes(SMALL.recipe.read_bytes() + b"\n")
    other = RecipePackage("small", SMALL.files, changed)
    assert other.directory != package.directory
    assert other.prepare() != package.prepare()


def test_a_recipe_of_other_bytes_is_refused(tmp_path: Path, cache: Path) -> None:
    value = json.loads(SMALL.recipe.read_text())
    value["tensors"]["embedding"]["bits"]["seed"] += 1
    changed = tmp_path / "recipe.json"
    changed.write_text(json.dumps(value))
    with pytest.raises(RecipeError, match=r"does not give the bytes of vector-00001-of-00001\.llq"):
        RecipePackage("changed", SMALL.files, changed).prepare()
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("value", ["", "relative/path"])
def test_the_cache_is_in_the_home_directory_by_default(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert cache_directory() == Path.home() / ".cache" / "llq-conformance"


def test_vectors_with_recipes_store_no_shards() -> None:
    assert len(RECIPES) >= 20
    for recipe in RECIPES:
        assert recipe.files.is_relative_to(VECTORS)
        assert not list(recipe.files.glob("*.llq"))
