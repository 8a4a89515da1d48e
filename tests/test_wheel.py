"""The built wheel, with the source tree out of reach."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WORKED_EXAMPLE = ROOT / "vectors" / "valid" / "worked-example" / "package"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel with the backend that is installed."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603  # our own build
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack it where nothing else is."""
    target = tmp_path_factory.mktemp("installed")
    zipfile.ZipFile(wheel).extractall(target)
    return target


def _python(installed: Path, *arguments: str) -> str:
    """Return what Python prints, with the wheel first on its path and the source tree out of it."""
    command = [sys.executable, "-P", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(  # noqa: S603  # our own interpreter
        command, check=True, capture_output=True, text=True, cwd=installed, env=environment
    )
    return done.stdout


def test_the_wheel_holds_library_and_specification_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"llq_format", "llq_format-0.1.0.dist-info"}
    assert "llq_format/spec/rules.json" in names
    assert "llq_format/spec/schema/metadata.schema.json" in names
    assert "llq_format-0.1.0.dist-info/licenses/LICENSE" in names


def test_it_reads_its_own_copy_of_the_specification(installed: Path) -> None:
    code = "import llq_format.specification as s; print(s.specification_path('rules.json'))"
    assert Path(_python(installed, "-c", code).strip()) == installed / "llq_format" / "spec" / "rules.json"


def test_the_command_works(installed: Path) -> None:
    assert "valid" in _python(installed, "-m", "llq_format", "validate", str(WORKED_EXAMPLE))
    assert "LLQ-PACK-3" in _python(installed, "-m", "llq_format", "explain", "PACK-3")
