"""The real SmolLM2 on the demo page, in Chromium on a software adapter: `--demo`, because it takes minutes.

INT8 rounding makes legal executions of this model choose other words (docs/tolerance.md), so its text says
little. With the inputs of all its layers in binary16 they agree, and the page has to write what the reference
writes.
"""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route

import llq_format
from llq_format.metadata.metadata import FILE_NAME
from llq_format.metadata.model import Model
from llq_format.package.attach_program import attach
from llq_format.reference import Decoder
from llq_format.reference.generation import generate
from llq_format.reference.text import TextTokenizer
from llq_format.webgpu.planning.program_files import module_bytes, program_maker
from tests.support.web.chromium import chromium
from tests.support.web.demo_page import SHARD, WEBGPU_ON_CPU, ask, last_answer, load, opened
from tests.support.web.serving import served

pytestmark = pytest.mark.browser

PROMPT = "The capital of France is"
TOKENS = 3
ANSWER = 1800.0  # seconds


@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    if not request.config.getoption("--demo"):
        pytest.skip("takes minutes: give --demo")
    with chromium(*WEBGPU_ON_CPU) as browser:
        yield browser


@pytest.fixture(scope="module")
def package(smollm2_package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide the model with binary16 inputs in all layers."""
    copy = shutil.copytree(smollm2_package, tmp_path_factory.mktemp("demo") / "smollm2")
    with llq_format.open(copy) as package:
        metadata = package.metadata
    assert isinstance(metadata.model, Model)
    model = replace(metadata.model, fp16_layers=len(metadata.model.layers))
    bare = replace(metadata, model=model, module=None, program=None)
    (copy / FILE_NAME).write_bytes(bare.sealed().to_bytes())
    for entry in (metadata.module, metadata.program):
        assert entry is not None
        (copy / entry.file).unlink()
    attach(copy, module_bytes(), program_maker())
    return copy


@pytest.fixture(scope="module")
def text(package: Path) -> str:
    """Provide the reference's text, for either type of its KV cache."""
    with llq_format.open(package) as opened:
        tokenizer = TextTokenizer(opened)
        prompt = tokenizer.encode(PROMPT)
        exact, rounded = (
            tokenizer.decode(list(islice(generate(decoder, prompt, TOKENS), TOKENS)))
            for decoder in (Decoder(opened), Decoder(opened, kv_cache="float16"))
        )
    assert exact == rounded
    return exact


def test_it_writes_what_the_reference_writes_stops_and_works_offline(
    browser: Browser, package: Path, text: str
) -> None:
    cut: list[str] = []

    def once(route: Route) -> None:
        if cut or "bytes=0-" in route.request.headers.get("range", ""):
            route.continue_()
        else:
            cut.append(route.request.url)
            route.abort("connectionreset")

    with served(package) as url, opened(browser, url, limit=ANSWER) as page:
        page.route(SHARD, once)
        load(page)
        assert cut
        page.fill("#max-tokens", str(TOKENS))
        ask(page, PROMPT)
        page.wait_for_selector(".measured")
        assert last_answer(page) == text

        page.click("#fresh")
        page.fill("#max-tokens", "200")
        ask(page, PROMPT)
        page.wait_for_function("document.querySelector('.message.assistant .text')?.textContent")
        page.click("#stop")
        page.wait_for_selector(".measured:has-text('stopped')")
        assert text.startswith(last_answer(page)) or last_answer(page).startswith(text)

        page.route("**/model/**", lambda route: route.abort())
        page.reload()
        load(page)
        page.fill("#max-tokens", "1")
        ask(page, PROMPT)
        page.wait_for_selector(".measured")
        assert last_answer(page)
        assert text.startswith(last_answer(page))
