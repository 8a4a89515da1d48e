"""The suite next to widespread plugins of pytest, all installed together in an environment of their own."""

import json
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.support.repository import ROOT
from tests.support.timeouts import seconds

pytestmark = pytest.mark.slow

PLUGINS = (
    *("pytest-asyncio", "pytest-benchmark", "pytest-cov", "pytest-html", "pytest-mock"),
    *("pytest-randomly", "pytest-rerunfailures", "pytest-timeout", "pytest-xdist"),
)
WRONG = "py:examples.python.miniatures:NibblePairs"
RIGHT = "py:examples.python.miniatures:Right"


@pytest.fixture(scope="module")
def interpreter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an environment that has the plugins in addition to the packages of this one."""
    directory = tmp_path_factory.mktemp("plugins") / "venv"
    venv.create(directory, with_pip=False, symlinks=True)
    python = directory / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", *PLUGINS]
    process = subprocess.run(command, capture_output=True, text=True, check=False, cwd=directory)  # noqa: S603  # pip
    if process.returncode:
        pytest.skip(f"the plugins cannot be installed: {process.stderr[-300:]}")
    (packages,) = directory.glob("lib/python*/site-packages")
    paths = [path for path in sys.path if path.endswith("site-packages")] + [sysconfig.get_path("purelib")]
    (packages / "zz_tests.pth").write_text("\n".join(dict.fromkeys(paths)) + "\n")
    return python


def suite(interpreter: Path, runtime: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the suite about a vector or two; what the plugins write goes to the environment's directory."""
    command = [
        str(interpreter),
        "-m",
        "pytest",
        "conformance",
        f"--runtime={runtime}",
        "-k",
        "worked-example",
    ]
    return subprocess.run(  # noqa: S603  # our own suite
        [*command, "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "COVERAGE_FILE": str(interpreter.parents[1] / "coverage")},
        capture_output=True,
        text=True,
        timeout=seconds(300),
        check=False,
    )


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_the_suite_runs_next_to_all_plugins(interpreter: Path, workers: tuple[str, ...]) -> None:
    process = suite(interpreter, RIGHT, *workers)
    output = process.stdout + process.stderr
    assert process.returncode == 0, output
    assert "INTERNALERROR" not in output
    assert "partial: 1 of " in process.stdout
    for plugin in (
        "asyncio",
        "benchmark",
        "cov",
        "html",
        "mock",
        "randomly",
        "rerunfailures",
        "timeout",
        "xdist",
    ):
        assert f"{plugin}-" in process.stdout


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_the_options_of_plugins_work(interpreter: Path, tmp_path: Path, workers: tuple[str, ...]) -> None:
    """A question that is asked again counts once, and its failure stays a failure."""
    process = suite(
        interpreter,
        WRONG,
        *(
            f"--timeout={seconds(250):g}",
            "--reruns=2",
            "--cov=conformance.core",
            f"--html={tmp_path / 'page.html'}",
        ),
        *("-p", "randomly", "--randomly-seed=3", f"--report={tmp_path / 'report'}", *workers),
    )
    assert process.returncode == 1, process.stdout + process.stderr
    assert "INTERNALERROR" not in process.stdout + process.stderr
    words = " ".join(process.stdout.split())
    assert "DOES NOT CONFORM as decode: 1 of 1 checks not passed; partial: " in words
    assert (tmp_path / "page.html").is_file()
    report = json.loads((tmp_path / "report" / "report.json").read_text("utf-8"))
    assert report["totals"]["failed"] == 1
