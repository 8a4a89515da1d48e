"""`replace_file`: the file is the older one or the new one, whole, whatever happens meanwhile."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import IO, NoReturn

import pytest

from llq_format.files.file_replacement import replace_file
from tests.support.timeouts import seconds

WRITER = """
import os, signal, sys
from pathlib import Path
from llq_format.files.file_replacement import replace_file
with replace_file(Path(sys.argv[1])) as file:
    file.write(b"new")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def umask() -> Iterator[None]:
    """Let new files be readable by their group alone, for one test."""
    before = os.umask(0o027)
    yield
    os.umask(before)


def content(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("before", [{}, {"f": b"old"}], ids=["absent", "present"])
def test_the_new_file_appears_when_the_block_ends(tmp_path: Path, before: dict[str, bytes]) -> None:
    for name, data in before.items():
        (tmp_path / name).write_bytes(data)
    with replace_file(tmp_path / "f") as file:
        file.write(b"new")
        file.flush()
        assert {name: data for name, data in content(tmp_path).items() if name == "f"} == before
    assert content(tmp_path) == {"f": b"new"}


def break_off(file: IO[bytes], error: type[BaseException]) -> NoReturn:
    """Write a part, and fail."""
    file.write(b"half")
    raise error


@pytest.mark.parametrize("before", [{}, {"f": b"old"}], ids=["absent", "present"])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file(
    tmp_path: Path, before: dict[str, bytes], error: type[BaseException]
) -> None:
    for name, data in before.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(error), replace_file(tmp_path / "f") as file:
        break_off(file, error)
    assert content(tmp_path) == before


def test_a_file_that_cannot_take_its_name_is_removed(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    with pytest.raises(IsADirectoryError), replace_file(tmp_path / "f") as file:
        file.write(b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_killed_writer_leaves_the_older_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")
    writer = subprocess.run([sys.executable, "-c", WRITER, tmp_path / "f"], timeout=seconds(60), check=False)  # noqa: S603
    assert writer.returncode == -signal.SIGKILL
    assert (tmp_path / "f").read_bytes() == b"old"


@pytest.mark.usefixtures("umask")
def test_the_mode_is_that_of_a_new_file(tmp_path: Path) -> None:
    (tmp_path / "f").touch(0o600)
    with replace_file(tmp_path / "f") as file:
        file.write(b"new")
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o640


def test_of_several_writers_one_wins_and_readers_see_whole_files(tmp_path: Path) -> None:
    texts = {bytes([65 + number]) * 100_000 for number in range(4)}
    (tmp_path / "f").write_bytes(next(iter(texts)))

    def write(text: bytes) -> None:
        for _ in range(5):
            with replace_file(tmp_path / "f") as file:
                file.write(text[:1])
                file.write(text[1:])

    writers = [Thread(target=write, args=(text,)) for text in texts]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert (tmp_path / "f").read_bytes() in texts
    assert set(content(tmp_path)) == {"f"}
