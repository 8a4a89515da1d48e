"""The examples of the JavaScript runtime: each answers, as it is in `web/examples/`."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from conformance.runtimes.javascript.deno import FLAGS
from conformance.runtimes.javascript.node import DRIVERS, driver_variables
from tests.support.npm import install
from tests.support.repository import ROOT, WEB
from tests.support.timeouts import seconds
from tests.support.web.chromium import chromium, new_page
from tests.support.web.scripted_package import PROMPT, TEXT, scripted_package
from tests.support.web.site import site

pytestmark = [pytest.mark.browser, pytest.mark.gpu]

EXAMPLES = WEB / "examples"
VITE = ROOT / "tests" / "web" / "vite"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scripted_package(tmp_path_factory.mktemp("examples"))


@pytest.fixture(scope="module")
def folder(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the package and the pages, each with the bundle next to it."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(package, folder / "model")
    for name in ("page", "worker"):
        shutil.copytree(EXAMPLES / name, folder / name)
        shutil.copy(WEB / "dist" / "webgpu-llama4.js", folder / name)
    return folder


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with site(folder) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader") as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with new_page(browser) as page:
        yield page


def run(*words: str) -> str:
    """Run a command in `web/`, and return its standard output."""
    program = shutil.which(words[0])
    assert program is not None, f"{words[0]} is not on the path"
    process = subprocess.run(  # noqa: S603  # our own scripts
        [program, *words[1:]],
        cwd=WEB,
        capture_output=True,
        text=True,
        timeout=seconds(300),
        check=False,
        env={**os.environ, **driver_variables(None, DRIVERS), "NO_COLOR": "1"},
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


@pytest.mark.parametrize("name", ["page", "worker"])
def test_a_page_of_one_file_answers(page: Page, url: str, name: str) -> None:
    page.goto(f"{url}{name}/")
    expect(page.locator("output")).to_have_text("Ready.")
    page.fill("input", PROMPT)
    page.click("text=Answer")
    expect(page.locator("output")).to_have_text(TEXT.strip())


def test_node_answers(url: str) -> None:
    assert run("node", "examples/node/answer.mjs", f"{url}model/", PROMPT) == f"{TEXT}\n"


def test_deno_answers_from_a_worker_and_ends(url: str) -> None:
    assert run("deno", "run", *FLAGS, "examples/deno/answer.ts", f"{url}model/", PROMPT) == f"{TEXT}\n"


@pytest.mark.slow
def test_a_page_that_vite_builds_answers(page: Page, package: Path, tmp_path: Path) -> None:
    install(VITE)
    project = tmp_path / "vite"
    shutil.copytree(EXAMPLES / "vite", project)
    modules = project / "node_modules"
    modules.mkdir()
    (modules / "webgpu-llama4").symlink_to(WEB)
    (modules / "vite").symlink_to(VITE / "node_modules" / "vite")
    run("node", str(WEB / "node_modules" / "typescript" / "bin" / "tsc"), "--project", str(project))
    run("node", str(VITE / "node_modules" / "vite" / "bin" / "vite.js"), "build", str(project))
    shutil.copytree(package, project / "dist" / "model")
    with site(project / "dist") as url:
        page.goto(f"{url}?prompt={PROMPT}")
        expect(page.locator("output")).to_have_text(TEXT.strip())
