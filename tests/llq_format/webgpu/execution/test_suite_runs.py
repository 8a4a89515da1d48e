"""The conformance suite passes on lavapipe and on SwiftShader, in every variant that they have.

An adapter that is absent fails these tests: `.ci/system-packages` installs both. The whole suite runs once
for each adapter; the other variants and KV caches run the computing checks only.
"""

import re
import subprocess

import pytest

from tests.support.suite_process import run_suite
from tests.support.timeouts import seconds

pytestmark = pytest.mark.gpu

COMPUTED = "logits or matvec or activations or generate"
RUNS = [
    ("lavapipe", "subgroups", "f32", ""),
    ("lavapipe", "portable", "f16", COMPUTED),
    ("lavapipe", "packed-dot", "f32", COMPUTED),
    ("lavapipe", "subgroups", "f16", COMPUTED),
    ("lavapipe", "shader-f16", "f16", COMPUTED),
    ("swiftshader", "subgroups", "f16", ""),
    ("swiftshader", "portable", "f32", "matvec or activations or generate"),
    ("swiftshader", "packed-dot", "f32", "matvec or activations"),
]


def suite(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the suite in a process of its own."""
    return run_suite("-q", "-n", "0", f"--answer-timeout={seconds(300):g}", *arguments)


@pytest.mark.parametrize(("adapter", "variant", "kv_cache", "selection"), RUNS)
def test_the_suite_passes(adapter: str, variant: str, kv_cache: str, selection: str) -> None:
    process = suite(
        f"--runtime=webgpu:adapter={adapter},variant={variant},kv_cache={kv_cache}", "-k", selection
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert ("partial: " if selection else "conforms as ") in process.stdout
    # all but the interface for pages, which is JavaScript's
    assert re.findall("^not claimed +(.*)$", process.stdout, re.MULTILINE) == ([] if selection else ["api"])
    assert f"llq-webgpu {variant} on" in process.stdout
    assert f"KV cache     {kv_cache}" in process.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("adapter=voodoo2", "no WebGPU adapter matches 'voodoo2'; the adapters are: "),
        ("adapter=lavapipe,variant=fastest", "no variant 'fastest'"),
        ("kv_cache=f64", "kv_cache must be f16 or f32"),
        ("kvcache=f16", "options are as in webgpu:adapter=lavapipe,variant=portable,kv_cache=f16"),
        ("adapter=", "options are as in"),
    ],
)
def test_meaningless_options_are_reported_in_one_line(options: str, message: str) -> None:
    process = suite(f"--runtime=webgpu:{options}", "-k", "worked-example")
    assert process.returncode == 4
    assert message in process.stdout + process.stderr
    assert "Traceback" not in process.stdout + process.stderr
