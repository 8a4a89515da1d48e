"""Vocabularies of llama.cpp with texts and the token ids that it expects, from the sources of a package.

`llama-cpp-python` on PyPI includes llama.cpp (MIT licence), whose folder `models` has vocabularies as GGUF
files without weights. They are fetched into a cache outside the tree, with the hash that
requirements/vocabularies.txt states.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from functools import cache
from pathlib import Path

import pytest

from tests.support.repository import ROOT
from tests.support.timeouts import seconds

REQUIREMENTS = ROOT / "requirements" / "vocabularies.txt"
CACHE = Path.home() / ".cache" / "llq"
SEPARATOR = "\n__ggml_vocab_test__\n"


@cache
def vocabularies() -> Path:
    """Return the folder of the vocabularies; skips the test, with the reason, if it cannot be fetched."""
    folder = CACHE / f"vocabularies-{_version()}"
    if not folder.is_dir():
        try:
            _fetch(folder)
        except (OSError, subprocess.SubprocessError, tarfile.TarError) as error:
            pytest.skip(f"vocabularies of llama.cpp are not in {folder} and cannot be fetched: {error}")
    return folder


def expectations(name: str) -> list[tuple[str, list[int]]]:
    """Return texts and their token ids, without special tokens."""
    folder = vocabularies()
    texts = (folder / f"ggml-vocab-{name}.gguf.inp").read_bytes().decode().split(SEPARATOR)
    lines = (folder / f"ggml-vocab-{name}.gguf.out").read_bytes().decode().split("\n")
    ids = [[int(number) for number in line.split()] for line in lines[: len(texts)]]
    return list(zip(texts, ids, strict=True))


def _version() -> str:
    return REQUIREMENTS.read_text(encoding="utf-8").partition("llama-cpp-python==")[2].split()[0]


def _fetch(folder: Path) -> None:
    """Download the sources with pip, which checks the hash, and keep the vocabularies."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        directory = Path(name)
        subprocess.run(  # noqa: S603  # pip
            [
                *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
                *("--no-deps", "--no-binary", "llama-cpp-python", "--require-hashes"),
                *("--dest", name, "--requirement", os.fspath(REQUIREMENTS)),
            ],
            check=True,
            capture_output=True,
            timeout=seconds(120),
        )
        (source,) = directory.glob("*.tar.gz")
        kept = directory / "kept"
        kept.mkdir()
        with tarfile.open(source) as archive:
            for member in archive:
                path = Path(member.name)
                content = archive.extractfile(member) if path.name.startswith("ggml-vocab-") else None
                if content is not None:
                    with (kept / path.name).open("wb") as file:
                        shutil.copyfileobj(content, file)
        kept.rename(folder)
