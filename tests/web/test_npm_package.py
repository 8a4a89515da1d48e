"""What `npm pack` makes, and that it can be used where it is unpacked."""

import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.support.exclusive import exclusive
from tests.support.repository import ROOT, WEB
from tests.support.timeouts import seconds
from tests.web.test_node import dependencies, node

pytestmark = pytest.mark.slow

__all__ = ["dependencies"]  # the fixture that installs npm's packages

USE = """
import { LLQError, Tokenizer, WebGPULlama4 } from "webgpu-llama4";
import { nodeGpu } from "webgpu-llama4/node";
import * as bundle from "webgpu-llama4/bundle";

if (typeof nodeGpu !== "function" || bundle.WebGPULlama4 === undefined) throw new Error("missing");
await WebGPULlama4.loadModel("http://127.0.0.1:9/").catch((error) => {
  if (!(error instanceof LLQError)) throw error;
  console.log(error.name, error.code, typeof Tokenizer);
});
"""
TYPED = """
import { WebGPULlama4, type InferOptions, type Progress } from "webgpu-llama4";

const options: InferOptions = { maxTokens: 8, temperature: 0, stop: ["\\n"] };
const told: Progress[] = [];
const model = await WebGPULlama4.loadModel("/model/", { onProgress: (one: Progress) => void told.push(one) });
const text: string = await model.infer([{ role: "user", content: "Hello" }], options);
for await (const piece of model.stream(text)) piece.at(0);
// @ts-expect-error  a text is no number
const wrong: number = await model.infer("Hello");
void wrong;
"""


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory, dependencies: None) -> Path:  # noqa: ARG001
    """Pack the package, which builds bundles and types before."""
    target = tmp_path_factory.mktemp("packed")
    with exclusive(WEB):
        process = node("npm", "pack", "--pack-destination", str(target))
    assert process.returncode == 0, process.stderr
    (packed,) = target.glob("*.tgz")
    return packed


@pytest.fixture(scope="module")
def project(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack it into a project of its own, next to the packages that it depends on."""
    project = tmp_path_factory.mktemp("project")
    modules = project / "node_modules"
    modules.mkdir()
    with tarfile.open(tarball) as archive:
        archive.extractall(modules, filter="data")
    (modules / "package").rename(modules / "webgpu-llama4")
    for name in ("@huggingface", "@noble", "webgpu"):
        (modules / name).symlink_to(WEB / "node_modules" / name)
    (project / "package.json").write_text('{"type": "module"}')
    return project


def test_the_tarball_holds_what_is_used_and_nothing_else(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        names = {name.removeprefix("package/") for name in archive.getnames()}
    sources = {str(path.relative_to(WEB)) for path in (WEB / "src").rglob("*.js")}
    types = {f"types/{name.removesuffix('.js')}.d.ts" for name in (*sources, "index.js")}
    bundles = {f"dist/{name}" for name in ("webgpu-llama4.js", "harness.js", "adapter.mjs")}
    assert names == {"index.js", "package.json", "README.md", "LICENSE", *sources, *types, *bundles}


def test_its_licence_is_that_of_the_repository() -> None:
    assert (WEB / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_bundles_carry_the_licences_of_what_is_in_them(project: Path) -> None:
    dependencies = json.loads((WEB / "package.json").read_text("utf-8"))["dependencies"]
    for path in (project / "node_modules" / "webgpu-llama4" / "dist").iterdir():
        text = path.read_text("utf-8")
        for name in dependencies:
            assert f"This file holds code of {name} " in text, path.name


def _in(project: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603  # our own scripts
        command, cwd=project, capture_output=True, text=True, timeout=seconds(120), check=False
    )


def test_it_is_imported_in_node(project: Path) -> None:
    (project / "use.mjs").write_text(USE)
    process = _in(project, "node", "use.mjs")
    assert (process.returncode, process.stdout.split()) == (0, ["NetworkError", "network", "function"]), (
        process.stderr
    )


def test_its_types_check(project: Path) -> None:
    (project / "typed.ts").write_text(TYPED)
    compiler = str(WEB / "node_modules" / "typescript" / "bin" / "tsc")
    options = ["--noEmit", "--strict", "--module", "ESNext", "--moduleResolution", "bundler"]
    process = _in(project, "node", compiler, *options, "typed.ts")
    assert process.returncode == 0, process.stdout
