"""`llq program`, `llq devices` and `llq run --runtime webgpu`."""

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import llq_format
from llq_format.webgpu.planning.module import kernel_sections, read_module
from tests.support import sample_packages
from tests.support.command_line import llq, run, start, tiny
from tests.support.repository import ROOT
from tests.support.speaking_packages import speaking_package
from tests.support.timeouts import seconds

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def speaking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a small model with the tokenizer of a vector."""
    return speaking_package(tmp_path_factory.mktemp("speaking"))


def files(package: Path) -> dict[str, bytes]:
    """Return the files of a package."""
    return {path.name: path.read_bytes() for path in package.iterdir()}


def test_packages_have_module_and_program_unless_asked_otherwise(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    assert {"tiny.wgsl", "program.json"} <= set(files(package))
    program = json.loads((package / "program.json").read_text("utf-8"))
    assert (program["chunk"], program["kv_cache"]) == (128, "f16")
    assert read_module((package / "tiny.wgsl").read_text("utf-8")).keys() >= kernel_sections().keys()
    assert llq("validate", package).exit_code == 0
    bare = tmp_path / "bare"
    assert llq("synth", "tiny", bare, "--no-program").exit_code == 0
    assert set(files(bare)) == {"metadata.json", "tiny-00001-of-00001.llq"}


def test_options_reach_the_program(tmp_path: Path) -> None:
    package = tmp_path / "p"
    assert llq("synth", "tiny", package, "--kv-cache", "f32", "--chunk", "16").exit_code == 0
    program = json.loads((package / "program.json").read_text("utf-8"))
    assert (program["chunk"], program["kv_cache"]) == (16, "f32")


def test_program_makes_what_export_makes(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    bare = tmp_path / "bare"
    assert llq("synth", "tiny", bare, "--no-program").exit_code == 0
    (bare / "notes.txt").write_text("mine")
    shard = (bare / "tiny-00001-of-00001.llq").stat().st_ino
    result = llq("program", bare)
    assert result.exit_code == 0, result.stderr
    assert (bare / "tiny-00001-of-00001.llq").stat().st_ino == shard  # linked, not copied
    assert files(bare) == {**files(package), "notes.txt": b"mine"}
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_program_repairs_a_program_and_changes_its_options(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    before = files(package)
    (package / "program.json").write_bytes(b"{}")
    (package / "tiny.wgsl").unlink()
    assert llq("program", package / "metadata.json").exit_code == 0
    assert files(package) == before
    result = llq("program", package, "--kv-cache", "f32", "--json")
    report = json.loads(result.stdout)
    assert report["kv_cache"] == "f32"
    assert report["digest"] != json.loads(before["metadata.json"])["digest"]
    assert sum(size for name, size in report["memory"].items() if name != "context") > 0
    assert llq("validate", package).exit_code == 0


def test_program_refuses_what_cannot_be_planned_and_leaves_it_alone(tmp_path: Path) -> None:
    sample_packages.write_tensors(tmp_path / "tensors")
    before = files(tmp_path / "tensors")
    result = llq("program", tmp_path / "tensors")
    assert result.exit_code == 1
    assert "has no model" in result.stderr
    assert files(tmp_path / "tensors") == before
    package = tiny(tmp_path)
    (package / "tiny-00001-of-00001.llq").unlink()
    result = llq("program", package)
    assert result.exit_code == 1
    assert "LLQ-" in result.stderr
    assert llq("program", tmp_path / "nowhere").exit_code == 1


def test_a_link_to_a_package_is_not_replaced(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    (tmp_path / "link").symlink_to(package)
    result = llq("program", tmp_path / "link")
    assert result.exit_code == 1
    assert "is a link" in result.stderr


def test_packages_are_written_and_programs_planned_without_wgpu(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['wgpu'] = None; from llq_format.cli import main; "
        f"sys.argv = ['llq', 'synth', 'tiny', {str(tmp_path / 'p')!r}]; main()"
    )
    process = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)  # noqa: S603  # ours
    assert process.returncode == 0
    assert (tmp_path / "p" / "program.json").is_file()


def test_devices_are_listed_with_their_variants() -> None:
    status, out, err = run("devices", "--json")
    assert (status, err) == (0, "")
    devices = {device["name"].split()[0]: device for device in json.loads(out)}
    assert "portable" in devices["llvmpipe"]["variants"]
    assert "shader-f16" not in devices["SwiftShader"]["variants"]
    status, out, _ = run("devices")
    assert status == 0
    assert "llvmpipe" in out


def test_text_comes_from_webgpu(speaking: Path) -> None:
    options = ("--runtime", "webgpu", "--adapter", "lavapipe", "--variant", "packed-dot", "--max-tokens", "4")
    status, out, err = run("run", speaking, "hello", "--json", *options)
    assert (status, err) == (0, "")
    answer = json.loads(out)
    assert answer["tokens"] == len(answer["token_ids"]) <= 4
    assert (answer["variant"], answer["devices_lost"]) == ("packed-dot", 0)
    assert answer["first_token_seconds"] > 0
    exact = json.loads(run("run", speaking, "hello", "--json", "--max-tokens", "1")[1])
    assert answer["token_ids"][:1] == exact["token_ids"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--adapter", "voodoo2"), "no WebGPU adapter matches 'voodoo2'; the adapters are: "),
        (("--adapter", "lavapipe", "--variant", "fastest"), "no variant 'fastest'; the program has portable"),
        (("--adapter", "lavapipe", "--context", "1"), "do not fit into a context of 1"),
        (("--adapter", "lavapipe", "--context", "9999999"), "this program supports 1 to"),
    ],
)
def test_packages_that_cannot_run_are_reported_in_one_line(
    speaking: Path, options: tuple[str, ...], message: str
) -> None:
    status, out, err = run("run", speaking, "hello, hello", "--runtime", "webgpu", *options)
    assert (status, out) == (1, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_adapters_are_for_webgpu_alone(speaking: Path) -> None:
    result = llq("run", speaking, "hello", "--adapter", "lavapipe")
    assert result.exit_code == 2
    assert "require --runtime webgpu" in result.stderr


def test_without_wgpu_it_says_what_to_install(speaking: Path) -> None:
    script = (
        "import sys; from importlib.abc import MetaPathFinder\n"
        "import importlib.util as u; real = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'wgpu' else real(name, *a)\n"
        "from llq_format.cli import main\n"
        f"sys.argv = ['llq', 'run', {str(speaking)!r}, 'hello', '--runtime', 'webgpu']; main()"
    )
    process = subprocess.run(  # noqa: S603  # ours
        [sys.executable, "-c", script], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert process.returncode == 1
    assert "pip install 'llq-format[webgpu]'" in process.stderr


def test_an_interrupt_ends_it_cleanly(smollm2_package: Path) -> None:
    options = ("--runtime", "webgpu", "--adapter", "lavapipe", "--max-tokens", "500")
    with start("run", smollm2_package, "Once upon a time", *options) as process:
        assert process.stdout is not None
        first = process.stdout.read(1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=seconds(60))
    assert first
    assert process.returncode == 130
    assert out.endswith(b"\n")
    assert b"interrupted" in err
    assert b"Traceback" not in err


def test_the_digest_is_that_of_the_files(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    with llq_format.open(package) as opened:
        for entry in (opened.metadata.module, opened.metadata.program):
            assert entry is not None
            data = (package / entry.file).read_bytes()
            assert (len(data), hashlib.sha256(data).hexdigest()) == (entry.byte_length, entry.sha256)
