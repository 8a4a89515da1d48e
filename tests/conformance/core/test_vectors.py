"""Loading vectors and setting them up; an index that proves nothing is refused."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from conformance.core.vectors import VECTORS, Vector, VectorsError, load, set_up

VALID: dict[str, Any] = {
    "id": "good",
    "kind": "valid",
    "path": "valid/good/package",
    "description": "A good one.",
    "rules": ["LLQ-PACK-3"],
    "tensors": {"w": "valid/good/expected/w.npy"},
    "warnings": [],
}
INVALID: dict[str, Any] = {
    "id": "bad",
    "kind": "invalid",
    "path": "invalid/bad/package",
    "description": "A bad one.",
    "rules": ["LLQ-REC-1"],
    "setup": [],
}


TOKENIZE: dict[str, Any] = {
    "id": "prompt",
    "kind": "tokenize",
    "description": "A prompt.",
    "rules": ["LLQ-TOK-1"],
    "package": "tokenize/prompt/package",
    "text": "a",
    "ids": [1],
    "decoded": "a",
}


def index(directory: Path, *entries: dict[str, Any]) -> Path:
    (directory / "index.json").write_text(json.dumps({"version": "1.0", "vectors": entries}))
    return directory


def test_vectors_are_read_in_order(tmp_path: Path) -> None:
    good, bad = load(index(tmp_path, VALID, INVALID))
    assert (good.valid, good.id, good.package) == (True, "good", tmp_path / "valid/good/package")
    assert good.tensors == {"w": tmp_path / "valid/good/expected/w.npy"}
    assert (bad.valid, bad.rules, bad.tensors) == (False, ("LLQ-REC-1",), {})


def test_vectors_of_computation_keep_their_members(tmp_path: Path) -> None:
    *_, prompt = load(index(tmp_path, VALID, INVALID, TOKENIZE))
    assert (prompt.kind, prompt.valid, prompt.members["text"]) == ("tokenize", False, "a")
    assert prompt.package == tmp_path / "tokenize/prompt/package"
    assert prompt.file("text") == tmp_path / "a"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([], "lists no valid vectors, expected at least one"),
        ([VALID], "lists no invalid vectors"),
        ([INVALID], "lists no valid vectors"),
        ([VALID, INVALID, VALID], "contains duplicate ids: good"),
        ([{**VALID, "kind": "maybe"}], "good is of kind 'maybe'"),
        ([{"id": "x"}], "KeyError: 'kind'"),
        (
            [{**TOKENIZE, "text": None, "kind": "logits"}],
            "prompt has no member tokens, splits, expected, bounds",
        ),
        ([{**VALID, "rules": []}, INVALID], "good cites no rule"),
        ([{**VALID, "rules": ["LLQ-NO-1"]}, INVALID], "good cites LLQ-NO-1, which is not a rule"),
    ],
)
def test_an_index_that_proves_nothing_is_refused(
    tmp_path: Path, entries: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(VectorsError, match=message):
        load(index(tmp_path, *entries))


def test_a_missing_index_is_reported(tmp_path: Path) -> None:
    with pytest.raises(VectorsError, match=r"index.json cannot be used: FileNotFoundError"):
        load(tmp_path)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(b"12345678")
    return tmp_path


def test_set_ups(package: Path) -> None:
    file = package / "file"
    set_up(package, {"op": "splice", "file": "file", "offset": 3, "length": 5, "text": "<n>.", "count": 2})
    assert file.read_bytes() == b"123000000.000001."
    set_up(package, {"op": "splice", "file": "file", "offset": 0, "length": 0, "text": "é"})
    assert file.read_bytes() == "é123000000.000001.".encode()
    set_up(package, {"op": "splice", "file": "file", "offset": 0, "length": 2, "text": ""})
    set_up(package, {"op": "truncate", "file": "file", "byte_length": 3})
    assert file.read_bytes() == b"123"
    set_up(package, {"op": "truncate", "file": "file", "byte_length": 1 << 40})
    assert file.stat().st_size == 1 << 40
    set_up(package, {"op": "rename", "file": "file", "to": "moved"})
    set_up(package, {"op": "symlink", "file": "file", "target": "moved"})
    assert file.is_symlink()
    assert file.resolve() == package / "moved"
    set_up(package, {"op": "fifo", "file": "file"})
    assert stat.S_ISFIFO(file.lstat().st_mode)
    set_up(package, {"op": "directory", "file": "file"})
    assert file.is_dir()
    set_up(package, {"op": "remove", "file": "moved"})
    assert [path.name for path in package.iterdir()] == ["file"]
    with pytest.raises(VectorsError, match="unknown set-up operation 'explode'"):
        set_up(package, {"op": "explode", "file": "file"})


def test_a_set_up_changes_a_copy(package: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    steps = ({"op": "remove", "file": "file"},)
    vector = Vector("gone", "invalid", package, "", ("LLQ-PKG-6",), {}, steps)
    copy = vector.prepared(tmp_path_factory.mktemp("workspace"))
    assert not (copy / "file").exists()
    assert (package / "file").exists()


def test_without_a_set_up_the_package_is_used_in_place(package: Path) -> None:
    vector = Vector("as-is", "valid", package, "", ("LLQ-PKG-6",))
    assert vector.prepared(Path("/nowhere")) == package


def test_the_vectors_of_this_repository_load() -> None:
    vectors = load(VECTORS)
    assert "worked-example" in {vector.id for vector in vectors if vector.valid}
    assert all(vector.tensors for vector in vectors if vector.valid)
    assert all((vector.package / "metadata.json").is_file() for vector in vectors if vector.valid)
