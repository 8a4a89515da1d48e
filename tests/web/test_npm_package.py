"""What `npm pack` makes, and that it can be used where it is unpacked."""

import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.support.exclusive import exclusive
from tests.support.npm import install
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
import { LLQError, WebGPULlama4, type InferOptions, type Model, type Progress } from "NAME";

const options: InferOptions = { maxTokens: 8, temperature: 0, stop: ["\\n"] };
const seen: Progress[] = [];
export async function use(): Promise<void> {
  const onProgress = (progress: Progress) => void seen.push(progress);
  const model: Model = await WebGPULlama4.loadModel("/model/", { onProgress, cache: false });
  const text: string = await model.infer([{ role: "user", content: "Hello" }], options);
  for await (const piece of model.stream(text)) piece.at(0);
  // @ts-expect-error  a text is not a number
  const wrong: number = await model.infer("Hello");
  void wrong;
  // @ts-expect-error  there is no such option
  await model.infer("Hello", { temprature: 1 });
  model.tokenizer = await WebGPULlama4.createTokenizer("/tokenizer.json", { bosTokenId: 1 });
  const [stored] = await WebGPULlama4.cache.list();
  await WebGPULlama4.cache.clear(stored?.url);
}
export const codeOf = (error: unknown): string | null => (error instanceof LLQError ? error.code : null);
"""
IN_NODE = """
import { nodeGpu } from "webgpu-llama4/node";
import { WebGPULlama4 } from "webgpu-llama4";

export const load = async () => WebGPULlama4.loadModel("http://localhost/", { device: await nodeGpu() });
"""
WITH_GPU = """
import { WebGPULlama4 } from "webgpu-llama4";

export const load = (device: GPUDevice) => WebGPULlama4.loadModel("/model/", { device });
export const open = () => WebGPULlama4.loadModel("/model/", { device: navigator.gpu });
// @ts-expect-error  a number is not a device
export const wrong = () => WebGPULlama4.loadModel("/model/", { device: 7 });
"""

VERSIONS = ("5.8", "5.9", "6.0", "7.0")
RESOLUTIONS = {
    "node10": ("commonjs", "node10"),
    "node16": ("node16", "node16"),
    "nodenext": ("nodenext", "nodenext"),
    "bundler": ("esnext", "bundler"),
}
COMPILERS = ROOT / "tests" / "web" / "typescript"


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory, dependencies: None) -> Path:  # noqa: ARG001
    """Pack the package, which builds the bundles before."""
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
    for name in ("@huggingface", "@noble", "hash-wasm", "webgpu"):
        (modules / name).symlink_to(WEB / "node_modules" / name)
    (project / "package.json").write_text('{"type": "module"}')
    return project


def test_the_tarball_holds_what_is_used_and_nothing_else(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        names = {name.removeprefix("package/") for name in archive.getnames()}
    sources = {str(path.relative_to(WEB)) for path in (WEB / "src").rglob("*.js")}
    types = {f"declarations/{name}.d.ts" for name in ("index", "node")}
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


@pytest.fixture(scope="module")
def typed(project: Path) -> Path:
    """Write sources that use the types, next to compilers and the types of WebGPU."""
    install(COMPILERS)
    for name in ("@types", "@webgpu"):
        (project / "node_modules" / name).symlink_to(COMPILERS / "node_modules" / name)
    for file, name in (("package.ts", "webgpu-llama4"), ("bundle.ts", "webgpu-llama4/bundle")):
        (project / file).write_text(TYPED.replace("NAME", name))
    (project / "node.ts").write_text(IN_NODE)
    (project / "gpu.ts").write_text(WITH_GPU)
    return project


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("version", VERSIONS)
def test_its_types_check(typed: Path, version: str, resolution: str) -> None:
    if (version, resolution) == ("7.0", "node10"):
        pytest.skip("TypeScript 7 has no node10")
    module, name = RESOLUTIONS[resolution]
    options = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--skipLibCheck", "false"]
    options += ["--target", "es2022", "--module", module, "--moduleResolution", name]
    if (version, resolution) == ("6.0", "node10"):
        options += ["--ignoreDeprecations", "6.0"]
    compiler = str(COMPILERS / "node_modules" / f"typescript-{version}" / "bin" / "tsc")
    dom, node = ["--lib", "es2022,dom"], ["--lib", "es2022", "--types", "node"]
    # TypeScript 6 has types of WebGPU itself, which those of npm contradict
    gpu = ["--types", "@webgpu/types"] if version < "6" else ["--typeRoots", "none"]
    for sources, environment in (
        (["package.ts", "bundle.ts"], [*dom, "--typeRoots", "none"]),
        (["package.ts", "bundle.ts", "node.ts"], node),
        (["package.ts", "bundle.ts", "gpu.ts"], [*dom, *gpu]),
    ):
        process = _in(typed, "node", compiler, *options, *environment, *sources)
        assert process.returncode == 0, (environment, process.stdout)
