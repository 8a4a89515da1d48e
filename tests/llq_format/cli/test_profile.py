"""`llq profile`: a package measured, reports merged, misuse refused."""

import json
from pathlib import Path

import pytest

from llq_format.webgpu.profiling.report import check
from tests.support.command_line import llq, on_terminal, tiny
from tests.support.webgpu.profiles import elsewhere, measured

pytestmark = pytest.mark.slow

FEW = ("--prompt-tokens", "3", "--tokens", "2", "--context", "16", "--variant", "portable")


def test_a_package_is_measured(tmp_path: Path) -> None:
    package, report, page = tiny(tmp_path), tmp_path / "a.json", tmp_path / "a.html"
    result = llq("profile", package, *FEW, "--json", report, "--html", page)
    assert result.exit_code == 0, result.output
    value = json.loads(report.read_text())
    assert check(value) == []
    assert value["program"]["variant"] == "portable"
    assert (value["prefill"]["tokens"], value["decode"]["tokens"]) == (3, 2)
    assert value["program"]["context"] == 16
    assert "<h1>tiny on " in page.read_text()
    assert "operations of one token" in result.stdout
    for label in ("attention.qkv", "ffn.down", "layer", "memory", "estimated from the program"):
        assert label in result.stdout


def test_standard_output_contains_only_json(tmp_path: Path) -> None:
    result = llq("profile", tiny(tmp_path), *FEW, "--json", "-")
    assert check(json.loads(result.stdout)) == []


def test_reports_are_merged_and_fit_a_terminal(tmp_path: Path) -> None:
    local, remote = tmp_path / "here.json", tmp_path / "there.json"
    local.write_text(json.dumps(measured()))
    remote.write_bytes(elsewhere().to_bytes())
    page = tmp_path / "matrix.html"
    status, _, text = on_terminal("profile", "--merge", local, remote, "--html", page)
    assert status == 0
    assert max(map(len, text.splitlines())) <= 80
    assert "A  Elsewhere 9000" in text
    assert "B  " in text
    assert "decode (tokens/s)" in text
    assert "Elsewhere 9000" in page.read_text()


def test_a_matrix_as_json(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(measured()))
    value = json.loads(llq("profile", "--merge", path, "--json", "-").stdout)
    assert value["format"] == "llq-profile-matrix"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("nowhere", "other"), 2, "one package"),
        (("--merge", "nowhere.json"), 1, "nowhere.json"),
        (("nowhere",), 1, "nowhere"),
        ((), 2, "PATH"),
    ],
)
def test_misuse(arguments: tuple[str, ...], status: int, message: str) -> None:
    result = llq("profile", *arguments)
    assert result.exit_code == status
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_what_is_not_a_profile_is_named(tmp_path: Path) -> None:
    path = tmp_path / "metadata.json"
    path.write_text("{}")
    result = llq("profile", "--merge", path)
    assert result.exit_code == 1
    assert "metadata.json is not a profile" in result.stderr


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--adapter", "no such adapter"), "no WebGPU adapter matches"),
        (("--variant", "fastest"), "no variant 'fastest'"),
        (("--context", "100000"), "context"),
        (("--prompt-tokens", "64"), "do not fit"),
    ],
)
def test_what_a_device_cannot_do_is_one_message(
    option: tuple[str, str], message: str, tmp_path: Path
) -> None:
    options = {**dict(zip(FEW[::2], FEW[1::2], strict=True)), option[0]: option[1]}
    result = llq("profile", tiny(tmp_path), *(word for pair in options.items() for word in pair))
    assert result.exit_code == 1
    assert message in result.stderr
    assert "Traceback" not in result.output
