"""`replace_file`: the file is the older one or the new one, whole."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.core.file_replacement import replace_file


@pytest.fixture
def umask() -> Iterator[None]:
    """Let new files be readable by their group alone, for one test."""
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("older", [None, "older"], ids=["absent", "present"])
def test_a_file_is_written_or_replaced(tmp_path: Path, older: str | None) -> None:
    if older is not None:
        (tmp_path / "f").write_text(older)
    replace_file(tmp_path / "f", "new é\n")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"f": "new é\n".encode()}
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("older", [None, "older"], ids=["absent", "present"])
def test_text_that_cannot_be_written_changes_nothing(tmp_path: Path, older: str | None) -> None:
    if older is not None:
        (tmp_path / "f").write_text(older)
    with pytest.raises(UnicodeEncodeError):
        replace_file(tmp_path / "f", "x" * 100_000 + "\ud800")
    assert [path.read_text() for path in tmp_path.iterdir()] == ([] if older is None else [older])


def test_a_file_that_cannot_take_its_name_is_removed(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    with pytest.raises(IsADirectoryError):
        replace_file(tmp_path / "f", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
