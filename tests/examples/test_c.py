"""The example adapter in C: it builds without a warning, decodes every vector, and survives broken input."""

import json
import random
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.core.vectors import load
from tests.support.repository import ROOT, VECTORS
from tests.support.suite_process import run_suite
from tests.support.timeouts import seconds

pytestmark = pytest.mark.slow

SOURCE = ROOT / "examples" / "c" / "llq_adapter.c"
WORKED_EXAMPLE = VECTORS / "valid" / "worked-example"
STRICT = ["-std=c11", "-pedantic", "-Wall", "-Wextra", "-Werror", "-O2"]
SANITIZED = [*STRICT, "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
STANDARD = (
    "assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg "
    "stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar wctype"
)
Ask = Callable[[bytes], dict[str, Any]]


def build(directory: Path, *options: str, source: Path = SOURCE) -> "subprocess.CompletedProcess[str]":
    """Compile with the system's compiler, which .ci/system-packages installs."""
    command = ["cc", *options, "-o", str(directory / "llq_adapter"), str(source), "-lm"]
    return subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603  # our own source


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it with the command in its first lines, with warnings as errors."""
    directory = tmp_path_factory.mktemp("c")
    process = build(directory, *STRICT)
    assert process.returncode == 0, process.stderr
    assert not process.stderr
    return directory / "llq_adapter"


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Build it with sanitizers, where they are at hand, and provide a function that sends it one line."""
    directory = tmp_path_factory.mktemp("sanitized")
    probe = directory / "probe.c"
    probe.write_text("int main(void) { return 0; }\n")
    if build(directory, *SANITIZED, source=probe).returncode:
        pytest.skip("the compiler has no sanitizers")
    compilation = build(directory, *SANITIZED)
    assert compilation.returncode == 0, compilation.stderr
    log = directory / "stderr"
    with log.open("w") as stderr:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": stderr}
        process = subprocess.Popen([directory / "llq_adapter"], **pipes)  # noqa: S603  # our own program

        def ask_(line: bytes) -> dict[str, Any]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(line + b"\n")
            process.stdin.flush()
            response = process.stdout.readline()
            assert response, f"it died of {line!r}: {log.read_text()}"
            answer: dict[str, Any] = json.loads(response)
            return answer

        yield ask_
        process.communicate(b'{"op": "bye"}\n', timeout=seconds(60))
    assert process.returncode == 0, log.read_text()  # leaks are reported here


def request(package: Path, tensor: str, output: Path) -> bytes:
    members = {"package": str(package), "tensor": tensor, "output": str(output)}
    return json.dumps({"op": "decode", "id": 7, **members}).encode()


def test_it_needs_the_standard_library_alone() -> None:
    text = SOURCE.read_text("utf-8")
    included = re.findall(r"#include (\S+)", text)
    assert included
    assert set(included) <= {f"<{name}.h>" for name in STANDARD.split()}
    assert len(text.splitlines()) < 500


def test_it_passes_every_check_of_decoding_and_claims_nothing_else(adapter: Path, tmp_path: Path) -> None:
    report = tmp_path / "report"
    process = run_suite("-q", f"--runtime=cmd:{adapter}", f"--report={report}")
    assert process.returncode == 0, process.stdout + process.stderr
    results = json.loads((report / "report.json").read_text("utf-8"))["results"]
    extended = {vector.id for vector in load() if vector.extensions}
    outcomes = {
        (result["check"] == "decode" and result["vector"] not in extended, result["outcome"])
        for result in results
    }
    assert outcomes == {(True, "passed"), (False, "not claimed")}


def test_sanitizers_find_nothing_in_any_vector(ask: Ask, tmp_path: Path) -> None:
    """Valid packages decode; it may accept or refuse broken ones, because it claims only `decode`."""
    output = tmp_path / "output.npy"
    decoded = refused = 0
    for package in sorted(VECTORS.glob("*/*/package")):
        expected = package.parent / "expected"
        names = [file.stem for file in expected.glob("*.npy")] or ["weight", "w"]
        for name in names:
            response = ask(request(package, name, output))
            assert response["id"] == 7
            if expected.exists():
                assert response["ok"], response
                reference = np.load(expected / f"{name}.npy").view(np.uint32)
                np.testing.assert_array_equal(np.load(output).view(np.uint32), reference)
            decoded += response["ok"]
            refused += not response["ok"]
    assert decoded > 100
    assert refused > 100


def test_sanitizers_find_nothing_in_broken_metadata(ask: Ask, tmp_path: Path) -> None:
    package = tmp_path / "package"
    shutil.copytree(WORKED_EXAMPLE / "package", package)
    text = (package / "metadata.json").read_bytes()
    chance = random.Random(4)  # noqa: S311  # no secret
    inserted = [b"99999999999", b"\\ud800", b"\\u0000", b"[[[[", b"-1", b"1e9", b'"', b"0", b"[" * 200]
    outcomes = set()
    for _ in range(1500):
        broken = bytearray(text)
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(broken))
            match chance.randrange(3):
                case 0:
                    broken[at] = chance.choice(b'0123456789"[]{},:\\u-.e \x00\xff')
                case 1:
                    del broken[at : at + chance.randint(1, 8)]
                case _:
                    broken[at:at] = chance.choice(inserted)
        (package / "metadata.json").write_bytes(broken)
        outcomes.add(ask(request(package, "weight", tmp_path / "output.npy"))["ok"])
    assert outcomes == {True, False}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"op": "decode"}',
        b'{"op": "decode", "id": 1, "package": "/nowhere", "tensor": "w", "output": "/nowhere/o"}',
        b'{"op": "decode", "id": 99999999999999999999}',
        b'{"op": 3, "id": 1}',
        b'{"op": "dec\\u0000ode", "id": 1}',
        b'{"op": "matvec", "id": 1}',
        b'\xff\xfe{"op": "\xff"}',
        b'{"op": "hello", "protocol": 1} x',
    ],
)
def test_requests_that_are_none_are_answered_with_an_error(ask: Ask, line: bytes) -> None:
    response = ask(line)
    assert response["ok"] is False
    assert response["error"]
