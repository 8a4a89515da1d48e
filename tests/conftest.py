"""Hypothesis settings: the same examples on every run. The real model, where its file is given."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from llq_format.exporting.export import export
from tests.support.repository import ROOT
from tests.support.seen_versions import seen_versions
from tests.support.warning_filters import FILTERS, UNLOCKED

settings.register_profile("ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--smollm2", type=Path, metavar="GGUF", help="The real SmolLM2-135M.")
    parser.addoption(
        "--demo", action="store_true", help="Calibrate the real SmolLM2, and ask it in Chromium: minutes."
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", "error")  # here, for the suite runs next to other plugins
    for line in FILTERS if UNLOCKED else ():
        config.addinivalue_line("filterwarnings", line)


def pytest_report_header() -> list[str]:
    return seen_versions()


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel with the backend that is installed."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603  # our own build
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack it where nothing else is."""
    target = tmp_path_factory.mktemp("installed")
    zipfile.ZipFile(wheel).extractall(target)
    return target


@pytest.fixture(scope="session")
def smollm2_gguf(request: pytest.FixtureRequest) -> Path:
    """Return the path of SmolLM2-135M-Instruct.Q4_1.gguf."""
    path: Path | None = request.config.getoption("--smollm2")
    if path is None:
        pytest.skip("needs the real model: give --smollm2 GGUF, as `make test` does")
    return path


@pytest.fixture(scope="session")
def smollm2_package(smollm2_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export the model once, with module and program."""
    directory = tmp_path_factory.mktemp("smollm2") / "package"
    export(smollm2_gguf, directory, method="rtn", stem="smollm2")
    return directory
