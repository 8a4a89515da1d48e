"""Failures of the system are reported as such: no rule is blamed for them (LLQ-PKG-16, LLQ-READ-10)."""

import errno
from pathlib import Path

import pytest

import llq_format
from llq_format.validation import package_files
from tests.support import sample_packages


@pytest.fixture
def package(tmp_path: Path) -> Path:
    sample_packages.write_tensors(tmp_path / "package")
    return tmp_path / "package"


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO])
def test_a_file_that_the_system_does_not_read_is_not_a_violation(
    package: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, "the system says no")

    monkeypatch.setattr(package_files, "_PREADV", fail)
    for function in (llq_format.open, llq_format.validate):
        with pytest.raises(OSError, match="the system says no"):
            function(package)


def test_a_lack_of_memory_is_not_a_violation(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    with llq_format.open(package) as opened:
        monkeypatch.setattr(package_files.PackageFile, "read_into", fail)
        with pytest.raises(MemoryError):
            opened.get_tensor("c")
