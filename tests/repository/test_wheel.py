"""The built wheel, with the source tree out of reach."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.repository import ROOT, VECTORS
from tests.support.timeouts import seconds
from tests.support.warning_filters import DEPRECATIONS, UNLOCKED

pytestmark = pytest.mark.slow

MINIMAL = ROOT / "examples" / "python" / "minimal_adapter.py"
MINIATURES = MINIMAL.with_name("miniatures.py")
WORKED_EXAMPLE = VECTORS / "valid" / "worked-example" / "package"


def _run(
    installed: Path, *arguments: str, cwd: Path | None = None, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run Python with the wheel first on its path and the source tree out of it."""
    command = [sys.executable, "-P", *arguments]
    environment = {**os.environ, **variables, "PYTHONPATH": str(installed)}
    return subprocess.run(  # noqa: S603  # our own interpreter
        command, check=False, capture_output=True, text=True, cwd=cwd or installed, env=environment
    )


def _python(installed: Path, *arguments: str) -> str:
    """Return what Python prints."""
    process = _run(installed, *arguments)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def test_the_wheel_holds_library_specification_suite_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {"llq_format", "llq_conformance", "llq_format-0.1.0.dist-info"}
    assert {name.split("/")[0] for name in names} == tops
    assert "llq_format/spec/rules.json" in names
    assert "llq_format/spec/schema/metadata.schema.json" in names
    assert "llq_format-0.1.0.dist-info/licenses/LICENSE" in names


def test_it_reads_its_own_copy_of_the_specification(installed: Path) -> None:
    code = "import llq_format.metadata.specification as s; print(s.specification_path('rules.json'))"
    assert Path(_python(installed, "-c", code).strip()) == installed / "llq_format" / "spec" / "rules.json"


def test_the_command_works(installed: Path) -> None:
    assert "valid" in _python(installed, "-m", "llq_format", "validate", str(WORKED_EXAMPLE))
    assert "LLQ-PACK-3" in _python(installed, "-m", "llq_format", "explain", "PACK-3")


def test_the_data_of_vectors_in_the_wheel_are_those_of_the_index(installed: Path) -> None:
    vectors = installed / "llq_conformance" / "vectors" / "data"
    index = json.loads((vectors / "index.json").read_text("utf-8"))["vectors"]
    assert index
    kinds = {vector["kind"] for vector in index}
    assert {path.name for path in vectors.iterdir()} == {*kinds, "index.json"}
    for kind in kinds:
        built, expected = (
            {path.relative_to(top): path.read_bytes() for path in (top / kind).rglob("*") if path.is_file()}
            for top in (vectors, VECTORS)
        )
        assert built == expected


def test_the_size_of_the_suite_is_sane(wheel: Path) -> None:
    assert wheel.stat().st_size < 9e6
    entries = [entry for entry in zipfile.ZipFile(wheel).infolist() if "/vectors/data/" not in entry.filename]
    assert sum(entry.file_size for entry in entries) < 8e6  # tests/vectors limits the vectors themselves


def test_importing_the_suite_imports_neither_pytest_nor_the_library(installed: Path) -> None:
    code = "import llq_conformance, sys; print(llq_conformance.__file__, *sys.modules)"
    file, *modules = _python(installed, "-c", code).split()
    assert Path(file).is_relative_to(installed)
    assert not {"pytest", "llq_format", "numpy"} & set(modules)


def _suite(installed: Path, cwd: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the installed suite in a directory of a user, warnings being errors."""
    command = ["-m", "pytest", "--pyargs", "llq_conformance", "-p", "no:cacheprovider"]
    warnings = [f"-W{line}" for line in ("error", *(DEPRECATIONS if UNLOCKED else ()))]
    limit = f"--answer-timeout={seconds(30):g}"
    return _run(installed, *command, *warnings, limit, *arguments, cwd=cwd)


def test_the_installed_suite_runs_where_there_is_nothing(installed: Path, tmp_path: Path) -> None:
    report = tmp_path / "report"
    process = _suite(installed, tmp_path, "--runtime=reference", "-n", "2", f"--report={report}")
    assert process.returncode == 0, process.stdout + process.stderr
    assert (
        "conforms as decode, reject, activations, matvec, logits, trace, generate, sample, adjust, tokenize"
        in process.stdout
    )
    results = json.loads((report / "report.json").read_text("utf-8"))["results"]
    outcomes = {(result["check"] == "api", result["outcome"]) for result in results}
    assert outcomes == {(False, "passed"), (True, "not claimed")}
    assert [path.name for path in tmp_path.iterdir()] == [report.name]
    page = (report / "index.html").read_text("utf-8")
    (link,) = set(re.findall(r'href="([^"]+/packing.md)#elements"', page))
    assert (report / link).resolve() == installed / "llq_conformance" / "spec" / "packing.md"


def test_the_installed_suite_has_the_quick_set(installed: Path, tmp_path: Path) -> None:
    process = _suite(installed, tmp_path, "--runtime=mutant:scale-nan-accepted", "--quick")
    assert process.returncode == 1, process.stdout + process.stderr
    chosen = json.loads((ROOT / "conformance" / "mutation" / "quick.json").read_text("utf-8"))["quick"]
    words = " ".join(process.stdout.split())
    assert f"of {len(chosen)} checks not passed; partial: " in words
    assert "*NaN accepted as a scale*" in process.stdout


def test_the_installed_suite_asks_random_questions(installed: Path, tmp_path: Path) -> None:
    mutant = "--runtime=mutant:answers-from-memory"
    process = _suite(installed, tmp_path, mutant, "--random=2", "--seed=4", "-k", "decode")
    assert process.returncode == 1, process.stdout + process.stderr
    kept = "llq-fresh/decode-seed-4"
    assert f"llq rerun random-decode {mutant} --vectors={kept}" in process.stdout
    rerun = ("rerun", "random-decode", "--runtime=reference", f"--vectors={kept}")
    assert _run(installed, "-m", "llq_format", *rerun, cwd=tmp_path).returncode == 0


def test_the_installed_command_reruns_and_compares(installed: Path, tmp_path: Path) -> None:
    rerun = _run(installed, "-m", "llq_format", "rerun", "worked-example", cwd=tmp_path)
    assert rerun.returncode == 0, rerun.stderr
    assert "PASSED  decode worked-example" in rerun.stdout
    _suite(installed, tmp_path, "--report=report", "-k", "worked-example")
    compared = _run(installed, "-m", "llq_format", "compare", "report", "-o", "comparison.html", cwd=tmp_path)
    assert compared.returncode == 0, compared.stderr
    assert "tested only in part: partial: " in compared.stderr
    assert "(-k worked-example)" in compared.stderr
    assert (tmp_path / "comparison.html").is_file()


def test_the_installed_suite_runs_adapters(installed: Path, tmp_path: Path) -> None:
    process = _suite(installed, tmp_path, f"--runtime=cmd:{sys.executable} {MINIMAL}", "-k", "worked-example")
    assert process.returncode == 0, process.stdout + process.stderr
    assert "partial: 1 of " in process.stdout
    assert "conforms as" not in process.stdout
    shutil.copy(MINIATURES, tmp_path / "mine.py")
    process = _suite(installed, tmp_path, "--runtime=py:mine:NibblePairs", "-k", "worked-example")
    assert process.returncode == 1
    assert "equals *nibble pairs, even column in the low nibble*" in process.stdout
    assert "short test summary info" not in process.stdout  # the summary by rule replaces it


def test_the_wheel_has_the_pages_for_browsers_once(wheel: Path) -> None:
    web = sorted(name for name in zipfile.ZipFile(wheel).namelist() if "/web/" in name)
    demo = [
        f"llq_format/web/demo/{path.name}" for path in (ROOT / "web" / "demo").iterdir() if path.is_file()
    ]
    suite = ("dist/adapter.mjs", "dist/harness.js", "harness/harness.css", "harness/index.html")
    expected = [
        *demo,
        "llq_format/web/dist/webgpu-llama4.js",
        *(f"llq_conformance/web/{file}" for file in suite),
    ]
    assert web == sorted(expected)


def test_the_installed_package_finds_its_page(installed: Path) -> None:
    code = "from llq_format.serving.web_files import web_folder; print(web_folder())"
    assert Path(_python(installed, "-c", code).strip()) == installed / "llq_format" / "web"


@pytest.mark.parametrize("runtime", ["deno", "browser:chromium"])
def test_the_installed_suite_asks_the_runtime_in_javascript(
    installed: Path, tmp_path: Path, runtime: str
) -> None:
    process = _suite(installed, tmp_path, f"--runtime={runtime}", "-k", "worked-example")
    assert process.returncode == 0, process.stdout + process.stderr
    assert "partial: 2 of " in process.stdout


def test_the_installed_suite_says_what_node_lacks(installed: Path, tmp_path: Path) -> None:
    process = _suite(installed, tmp_path, "--runtime=node", "-k", "worked-example")
    assert process.returncode == 4, process.stdout + process.stderr
    assert (
        f"npm's webgpu is not installed: run npm install webgpu in {tmp_path}"
        in process.stdout + process.stderr
    )


def test_pytest_is_left_alone_where_the_suite_is_not_named(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text("def test_mine(): pass\n")
    (tmp_path / "conftest.py").write_text(
        "def pytest_addoption(parser): parser.addoption('--runtime', default='mine')\n"
    )
    process = _run(installed, "-m", "pytest", "-p", "no:cacheprovider", cwd=tmp_path)
    assert process.returncode == 0, process.stdout + process.stderr
    assert "conformance" not in process.stdout


def test_an_editable_installation_copies_nothing_that_grows_stale(tmp_path: Path) -> None:
    code = f"import hatchling.build; print(hatchling.build.build_editable({str(tmp_path)!r}))"
    process = subprocess.run(  # noqa: S603  # our own build
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT
    )
    names = zipfile.ZipFile(tmp_path / process.stdout.split()[-1]).namelist()
    files = {name for name in names if ".dist-info/" not in name}
    assert files == {"_llq_format.pth", "llq_conformance/plugin.py"}


def test_an_editable_installation_says_how_to_run_the_suite(tmp_path: Path) -> None:
    suite = tmp_path / "llq_conformance"
    suite.mkdir()
    (suite / "plugin.py").write_bytes((ROOT / "conformance" / "plugin.py").read_bytes())
    command = ["-m", "pytest", "-p", "llq_conformance.plugin", "--pyargs", "llq_conformance"]
    # without autoload: where LLQ is installed, its entry point would register the module a second time
    process = _run(tmp_path, *command, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert process.returncode == 4, process.stdout + process.stderr
    assert (
        "llq_conformance is not installed completely; in a source tree, run pytest conformance"
        in process.stderr
    )
    assert "Traceback" not in process.stderr
