"""The JavaScript runtime: its tests in Node, its types, and the same dispatches as the executor of Python."""

import json
import os
import shutil
import struct
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import llq_format
from conformance.runtimes.javascript.node import DRIVERS, driver_variables
from llq_format.metadata.model import Model
from llq_format.package.attach_program import attach
from llq_format.synth import GEOMETRIES, synth
from llq_format.webgpu.execution.executor import Executor
from llq_format.webgpu.execution.opening import executable, executor_on
from llq_format.webgpu.execution.self_test_data import module_text
from llq_format.webgpu.planning.program import SLOT_BYTES
from llq_format.webgpu.planning.program_files import module_bytes, program_maker
from tests.support.exclusive import exclusive
from tests.support.repository import WEB
from tests.support.timeouts import SCALE, VARIABLE, seconds
from tests.support.webgpu.executor_models import device_of_tests

pytestmark = pytest.mark.gpu

PACKAGES = WEB / "test" / "packages"
TOKENS, CONTEXT = 5, 40


def node(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of Node in `web/`."""
    program = shutil.which(words[0])
    assert program is not None, f"{words[0]} is not on the path: install Node.js 20 or newer"
    return subprocess.run(  # noqa: S603  # our own scripts
        [program, *words[1:]],
        cwd=WEB,
        capture_output=True,
        text=True,
        timeout=seconds(300),
        check=False,
        env={**os.environ, **driver_variables(None, DRIVERS), VARIABLE: str(SCALE), "NO_COLOR": "1"},
    )


@pytest.fixture(scope="module", autouse=True)
def dependencies() -> None:
    """Install what package-lock.json names, if anything is missing."""
    manifest = json.loads((WEB / "package.json").read_text("utf-8"))
    names = {*manifest["dependencies"], *manifest["devDependencies"]}
    with exclusive(WEB):
        if not all((WEB / "node_modules" / name).is_dir() for name in names):
            process = node("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
            assert process.returncode == 0, process.stderr


@pytest.fixture(scope="module")
def packages() -> Path:
    """Write the packages that the tests in Node read: `large` comes in several shards and pieces."""
    large, module = PACKAGES / "large", module_bytes()
    PACKAGES.mkdir(parents=True, exist_ok=True)
    with exclusive(PACKAGES):
        if not any(
            path.read_bytes() == module for path in large.glob("*.wgsl")
        ):  # missing, or of older kernels
            partial = PACKAGES / "partial"
            shutil.rmtree(partial, ignore_errors=True)
            synth("smollm2-135m", partial, layers=1, shard_limit=1 << 25)
            attach(partial, module, program_maker())
            shutil.rmtree(large, ignore_errors=True)
            partial.rename(large)
    return PACKAGES


@pytest.mark.parametrize(
    "name", sorted(str(path.relative_to(WEB)) for path in (WEB / "test").rglob("*.test.mjs"))
)
def test_in_node(name: str, packages: Path) -> None:
    assert packages.is_dir()
    process = node("node", "--test", name)
    assert process.returncode == 0, process.stdout[-6000:] + process.stderr[-2000:]
    assert "\n# pass 0\n" not in process.stdout


def test_lint_and_format() -> None:
    process = node("npm", "run", "--silent", "lint")
    assert process.returncode == 0, process.stdout + process.stderr


def test_types() -> None:
    process = node("node", "node_modules/typescript/bin/tsc", "--project", ".")
    assert process.returncode == 0, process.stdout


def test_the_data_of_the_specification_are_those_of_the_specification() -> None:
    process = node("node", "specification.mjs", "--check")
    assert process.returncode == 0, process.stderr


def test_the_data_of_the_self_test_are_those_of_the_reference_implementation() -> None:
    assert (WEB / "src" / "gpu" / "self_test_data.js").read_text("utf-8") == module_text()


TINY = GEOMETRIES["tiny"]
QWEN = replace(
    TINY,
    layers=tuple(
        replace(layer, attention=replace(layer.attention, qkv_bias=bias, weighted_qk_norm=not bias))
        for layer, bias in zip(TINY.layers, (True, False), strict=True)
    ),
)


@pytest.mark.parametrize("model", [TINY, QWEN], ids=["tiny", "affine"])
def test_both_executors_run_the_same_dispatches(model: Model, tmp_path: Path) -> None:
    directory = tmp_path / "tiny"
    synth(model, directory, shard_limit=1 << 16)
    attach(directory, module_bytes(model), program_maker())
    process = node("node", "node/dispatch_list.mjs", str(directory), str(TOKENS), str(CONTEXT))
    assert process.returncode == 0, process.stderr
    with llq_format.open(directory) as package:
        executor = executor_on(package, executable(package), device_of_tests(), CONTEXT)
        expected = dispatch_list(executor)
    assert len(expected["decode"]) > 10
    assert json.loads(process.stdout) == expected


def dispatch_list(executor: Executor) -> dict[str, Any]:
    """Return the dispatches of the executor in Python, as `web/node/dispatch_list.mjs` prints it."""
    slots = [
        b"".join(map(_word, slot)).ljust(SLOT_BYTES, b"\0").hex() for slot in executor.program.parameters
    ]
    return {
        name: [
            {
                "entry_point": dispatch.dispatch.entry_point,
                "bindings": [_bound(executor, binding) for binding in dispatch.dispatch.bindings],
                "parameters": slots[dispatch.dispatch.parameters],
                "workgroups": list(dispatch.dispatch.grid(TOKENS)),
            }
            for dispatch in executor.prepared(name)
        ]
        for name in executor.program.passes
    }


def _bound(executor: Executor, name: str) -> list[Any]:
    bound = executor._binding(name)  # noqa: SLF001  # the resources of a bind group
    return [bound["buffer"].label, bound["buffer"].size, bound["offset"], bound["size"]]


def _word(word: float) -> bytes:
    return struct.pack("<f" if isinstance(word, float) else "<I", word)
