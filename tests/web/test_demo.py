"""The demo page as people use it, in Chromium on a software adapter, over `llq serve`."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, ViewportSize, expect, sync_playwright

from llq_format.attachment import attach
from llq_format.webgpu.package_files import module_bytes, program_maker
from tests.web.scripted_package import PROMPT, TEXT, scripted_package
from tests.web.serving import served

FLAGS = ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]
SHARD = "**/model/*.llq"
PATIENCE = 60_000  # milliseconds: kernels are compiled by the CPU, which others use too
READY = "body[data-state=ready]"


@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    if not request.config.getoption("--demo"):
        pytest.skip("takes minutes: give --demo")
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        pytest.fail("these tests need Chromium: .ci/system-packages installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scripted_package(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def url(package: Path) -> Iterator[str]:
    with served(package) as url:
        yield url


@contextmanager
def opened(browser: Browser, url: str) -> Iterator[Page]:
    """Provide the page, in a browser that has stored nothing; requests go to the server alone."""
    context = browser.new_context(viewport=ViewportSize(width=1280, height=800))
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: faults.append(request.url))
    page.goto(url)
    yield page
    context.close()
    assert [fault for fault in faults if not fault.startswith(("data:", url))] == []


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    with opened(browser, url) as page:
        yield page


@pytest.fixture(scope="module")
def talking(browser: Browser, url: str) -> Iterator[Page]:
    """Provide the page with a model, which several tests talk to: loading takes longest."""
    with opened(browser, url) as page:
        expect(page.locator("#load")).to_be_focused()
        load(page)
        expect(page.locator("#prompt")).to_be_focused()
        yield page


@pytest.fixture
def model(talking: Page) -> Page:
    """Provide the page with a model and a new conversation."""
    if talking.locator("#fresh").is_visible():
        talking.click("#fresh")
    return talking


def load(page: Page) -> None:
    page.click("#load")
    page.wait_for_selector(READY)


def ask(page: Page, text: str = PROMPT) -> None:
    """Ask greedily, with the text continued as it is."""
    page.eval_on_selector("#temperature", "it => { it.value = 0; it.dispatchEvent(new Event('input')) }")
    page.uncheck("#chat")
    page.fill("#prompt", text)
    page.press("#prompt", "Enter")


def said(page: Page) -> str:
    return page.locator(".message.assistant .text").last.text_content() or ""


def test_it_loads_and_streams_an_answer(model: Page) -> None:
    model.evaluate(
        """() => {
            window.seen = [];
            new MutationObserver(() => {
                const text = document.querySelector(".message.assistant .text")?.textContent ?? "";
                if (seen.at(-1) !== text) seen.push(text);
            }).observe(document.body, {childList: true, subtree: true, characterData: true});
        }"""
    )
    expect(model.locator("#prompt")).to_be_focused()
    expect(model.locator("#software")).to_be_visible()
    expect(model.locator("#device")).to_contain_text(re.compile("swiftshader", re.IGNORECASE))
    ask(model)
    model.wait_for_selector(".measured")
    assert said(model) == TEXT
    seen = model.evaluate("seen")
    assert len(seen) > 5
    assert all(TEXT.startswith(text) for text in seen)  # no half of a character was ever shown
    expect(model.locator(".measured")).to_contain_text(re.compile(r"17 tokens, the first after .* tokens/s"))
    expect(model.locator("#prompt")).to_be_focused()
    expect(model.locator("#status")).to_contain_text("The answer:")


def test_chat_messages_go_through_the_template_and_a_new_conversation_forgets(model: Page) -> None:
    model.check("#chat")
    model.fill("#max-tokens", "24")
    model.eval_on_selector("#temperature", "it => { it.value = 0 }")
    for count in (1, 2):
        model.fill("#prompt", "hello")
        model.click("#send")
        expect(model.locator(".measured")).to_have_count(count)
        assert said(model) == f"hello{TEXT}"
    model.click("#fresh")
    expect(model.locator(".message")).to_have_count(0)


def test_an_answer_can_be_stopped_and_the_next_is_whole(model: Page) -> None:
    model.evaluate(
        """() => new MutationObserver((_, observer) => {
            const text = document.querySelector(".message.assistant .text")?.textContent;
            if (text) { observer.disconnect(); document.getElementById("stop").click(); }
        }).observe(document.body, {childList: true, subtree: true})"""
    )
    ask(model)
    expect(model.locator(".measured")).to_contain_text("stopped")
    part = said(model)
    assert TEXT.startswith(part)
    assert part != TEXT
    ask(model)
    expect(model.locator(".measured")).to_have_count(2)
    assert said(model) == TEXT


def test_what_goes_wrong_on_the_way_is_told_or_mended_and_a_stored_copy_needs_no_network(page: Page) -> None:
    def changed(route: Route) -> None:
        response = route.fetch()
        body = bytearray(response.body())
        body[1000] ^= 1  # of the embedding: another number, and a legal one
        route.fulfill(response=response, body=bytes(body))

    page.route(SHARD, changed)
    page.click("#load")
    expect(page.locator("#notice")).to_contain_text("could not be loaded")
    expect(page.locator("#notice-rule")).to_contain_text("LLQ-HASH-1")
    page.unroute(SHARD)

    cut: list[str] = []

    def once(route: Route) -> None:
        if cut:
            route.continue_()
        else:
            cut.append(route.request.url)
            route.abort("connectionreset")

    page.route(SHARD, once)
    page.click("#retry")
    page.wait_for_selector(READY)
    expect(page.locator("#notice")).to_be_hidden()
    assert cut

    page.route("**/model/**", lambda route: route.abort())
    page.reload()
    load(page)
    ask(page)
    page.wait_for_selector(".measured")
    assert said(page) == TEXT
    page.click("#clear")
    expect(page.locator("#clear")).to_be_hidden()


def test_loading_can_be_cancelled(page: Page) -> None:
    page.route(SHARD, lambda _route: None)  # never answers
    page.click("#load")
    page.click("#cancel")
    page.wait_for_selector("body[data-state=idle]")
    expect(page.locator("#load")).to_be_focused()
    expect(page.locator("#notice")).to_be_hidden()


def test_times_of_layers_are_drawn(model: Page) -> None:
    model.click("#measure")
    expect(model.locator("#measure")).to_be_enabled()
    expect(model.locator("#timing-text")).to_contain_text("layers take")
    expect(model.locator("#picture rect")).to_have_count(2)
    model.click("#picture summary")
    expect(model.locator("#picture tbody tr")).to_have_count(2)


def test_a_browser_without_webgpu_is_told(browser: Browser, url: str) -> None:
    context = browser.new_context()
    context.add_init_script("delete Navigator.prototype.gpu")
    page = context.new_page()
    page.goto(url)
    expect(page.locator("#notice")).to_contain_text("This browser has no WebGPU")
    expect(page.locator("#start")).to_be_hidden()
    context.close()


@pytest.mark.parametrize("width", [390, 768, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_off_nor_unlabelled(browser: Browser, url: str, width: int, scheme: str) -> None:
    context = browser.new_context(
        viewport=ViewportSize(width=width, height=800),
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("body[data-state=idle]")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    unlabelled = "all => all.filter(it => !it.labels.length && !it.ariaLabel).map(it => it.id)"
    assert page.eval_on_selector_all("input, textarea, progress", unlabelled) == []
    context.close()


def test_the_articles_own_page_answers(browser: Browser, package: Path, tmp_path: Path) -> None:
    """Sections 6.5 and 6.6: the page as it stands there, but for the cast, at the addresses that it names."""
    copy = shutil.copytree(package, tmp_path / "article")
    attach(copy, module_bytes(), program_maker())
    stem = re.escape(next(copy.glob("*.wgsl")).stem)
    with served(copy) as url:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        tokenizer = (copy / "tokenizer.json").read_text(encoding="utf-8")
        vocab, merges = vocabulary(tokenizer)

        def webgpu(route: Route) -> None:
            name = re.sub(r"^llama4-7b-int4(?=\.wgsl)", stem, route.request.url.rpartition("/")[2])
            route.fulfill(response=route.fetch(url=f"{url}model/{name}"))

        page.route("**/webgpu/*", webgpu)
        page.route(
            "**/tokenizer/vocab.json",
            lambda route: route.fulfill(body=vocab, content_type="application/json"),
        )
        page.route(
            "**/tokenizer/merges.txt", lambda route: route.fulfill(body=merges, content_type="text/plain")
        )
        page.goto(f"{url}demo/article.html")
        page.wait_for_function("document.getElementById('run').onclick")
        page.fill("#prompt", PROMPT)
        page.click("#run")
        expect(page.locator("#output")).not_to_have_text(re.compile("Generating|^$"), timeout=PATIENCE)
        assert page.locator("#output").text_content()
        page.close()


def vocabulary(tokenizer: str) -> tuple[str, str]:
    """Return vocab.json and merges.txt of a tokenizer.json."""
    model = json.loads(tokenizer)["model"]
    return json.dumps(model["vocab"]), "\n".join(" ".join(pair) for pair in model["merges"])
