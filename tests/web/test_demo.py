"""The demo page as people use it, in Chromium on a software adapter, over `llq serve`."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, ViewportSize, expect

from llq_format.package.attach_program import attach
from llq_format.webgpu.planning.program_files import module_bytes, program_maker
from tests.support.repository import ROOT
from tests.support.timeouts import milliseconds
from tests.support.web.chromium import chromium, new_page
from tests.support.web.demo_page import (
    READY,
    SHARD,
    WEBGPU_ON_CPU,
    ask,
    last_answer,
    load,
    opened,
)
from tests.support.web.scripted_package import PROMPT, TEXT, scripted_package
from tests.support.web.serving import served

pytestmark = pytest.mark.browser

LOOKS = ROOT / "tests" / "support" / "web" / "pages" / "looks.js"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(*WEBGPU_ON_CPU) as browser:
        yield browser


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scripted_package(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def url(package: Path) -> Iterator[str]:
    with served(package) as url:
        yield url


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


def damage(route: Route) -> None:
    """Answer with one byte changed: of the embedding, to another number, and a legal one."""
    response = route.fetch(timeout=milliseconds(60))
    body = bytearray(response.body())
    body[1000] ^= 1
    route.fulfill(response=response, body=bytes(body))


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
    ask(model, PROMPT)
    model.wait_for_selector(".measured")
    assert last_answer(model) == TEXT
    texts = model.evaluate("seen")
    assert len(texts) > 5
    assert all(TEXT.startswith(text) for text in texts)  # no half of a character was ever shown
    expect(model.locator(".measured")).to_contain_text(re.compile(r"17 tokens, the first after .* tokens/s"))
    expect(model.locator("#prompt")).to_be_focused()
    expect(model.locator("#status")).to_contain_text("The answer:")


def test_chat_messages_go_through_the_template_and_a_new_conversation_forgets(model: Page) -> None:
    model.check("#chat")
    model.fill("#max-tokens", "24")
    model.eval_on_selector("#temperature", "it => { it.value = 0 }")
    for count in (1, 2):
        model.wait_for_selector(READY)
        model.fill("#prompt", "hello")
        model.click("#send")
        expect(model.locator(".measured")).to_have_count(count)
        assert last_answer(model) == f"hello{TEXT}"
    model.click("#fresh")
    expect(model.locator(".message")).to_have_count(0)


def test_an_answer_can_be_stopped_and_the_next_is_whole(model: Page) -> None:
    model.evaluate(
        """() => new MutationObserver((_, observer) => {
            const text = document.querySelector(".message.assistant .text")?.textContent;
            if (text) { observer.disconnect(); document.getElementById("stop").click(); }
        }).observe(document.body, {childList: true, subtree: true})"""
    )
    ask(model, PROMPT)
    expect(model.locator(".measured")).to_contain_text("stopped")
    part = last_answer(model)
    assert TEXT.startswith(part)
    assert part != TEXT
    ask(model, PROMPT)
    expect(model.locator(".measured")).to_have_count(2)
    assert last_answer(model) == TEXT


def test_a_violated_rule_links_to_its_page(page: Page) -> None:
    def with_site(route: Route) -> None:
        bundle = route.fetch().text()
        empty = 'SITE = "";'
        assert empty in bundle
        route.fulfill(
            body=bundle.replace(empty, 'SITE = "https://llq.example/";'), content_type="text/javascript"
        )

    page.route("**/dist/webgpu-llama4.js", with_site)
    page.route(SHARD, damage)
    page.reload()
    page.click("#load")
    link = page.get_by_role("link", name="Rule LLQ-HASH-1")
    expect(link).to_have_attribute("href", "https://llq.example/rules/LLQ-HASH-1.html")


def test_download_failures_are_reported_or_repaired_and_a_stored_copy_needs_no_network(page: Page) -> None:
    page.route(SHARD, damage)
    page.click("#load")
    expect(page.locator("#notice-text")).to_contain_text("differ from the published ones")
    expect(page.locator("#retry")).to_be_focused()
    page.click("#notice summary")
    expect(page.locator("#notice-exactly")).to_contain_text("LLQ-HASH-1")
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
    ask(page, PROMPT)
    page.wait_for_selector(".measured")
    assert last_answer(page) == TEXT
    page.click("#clear")
    expect(page.locator("#stored")).to_be_hidden()


def test_loading_can_be_cancelled(page: Page) -> None:
    page.route(SHARD, lambda _route: None)  # never answers
    page.click("#load")
    page.click("#cancel")
    page.wait_for_selector("body[data-state=idle]")
    expect(page.locator("#load")).to_be_focused()
    expect(page.locator("#notice")).to_be_hidden()


def test_times_of_layers_are_drawn_and_measuring_can_be_stopped(model: Page) -> None:
    model.evaluate(
        """() => {
            const button = document.getElementById("measure");
            new MutationObserver((_, observer) => {
                if (button.textContent === "Stop measuring") { observer.disconnect(); button.click(); }
            }).observe(button, {childList: true, characterData: true});
        }"""
    )
    model.click("#measure")
    expect(model.locator("#status")).to_have_text("The measurement was stopped.")
    expect(model.locator("#picture")).to_be_hidden()
    model.click("#measure")
    expect(model.locator("#timing-text")).to_contain_text("layers take")
    expect(model.locator("#measure")).to_have_text("Measure")
    expect(model.locator("#picture rect")).to_have_count(2)
    model.click("#picture summary")
    expect(model.locator("#picture tbody tr")).to_have_count(2)


def test_a_browser_without_webgpu_is_reported(browser: Browser, url: str) -> None:
    with new_page(browser) as page:
        page.add_init_script("delete Navigator.prototype.gpu")
        page.goto(url)
        expect(page.locator("#notice")).to_contain_text("This browser has no WebGPU")
        expect(page.locator("#start")).to_be_hidden()


def test_a_missing_file_is_reported(page: Page) -> None:
    page.route(SHARD, lambda route: route.fulfill(status=404, body="not found"))
    page.click("#load")
    expect(page.locator("#notice-text")).to_contain_text("missing on the server")
    expect(page.locator("#notice-exactly")).to_contain_text("404")


def looks(page: Page) -> None:
    """Check the page as shown, in each width and scheme: nothing cut off, unlabelled or too pale."""
    for width in (320, 390, 768, 1280):
        page.set_viewport_size(ViewportSize(width=width, height=800))
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
            report = page.evaluate(LOOKS.read_text(encoding="utf-8"))
            assert report["texts"] > 5
            assert report["faults"] == [], f"{width} pixels, {scheme}"
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(ViewportSize(width=1280, height=800))


def test_the_page_looks_right_before_a_model_is_loaded(page: Page) -> None:
    page.wait_for_selector("body[data-state=idle]")
    looks(page)


def test_the_page_looks_right_with_an_answer_and_an_error(model: Page) -> None:
    ask(model, PROMPT)
    model.wait_for_selector(".measured")
    ask(model, PROMPT * 600)  # more than the context holds
    model.wait_for_selector(f"{READY} .fault")
    looks(model)


def test_the_page_looks_right_when_loading_failed(page: Page) -> None:
    page.route(SHARD, lambda route: route.fulfill(status=403, body="no"))
    page.click("#load")
    page.click("#notice summary")
    looks(page)


def test_the_keyboard_goes_through_the_page_in_its_order(model: Page) -> None:
    model.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    model.evaluate("document.querySelector('.skip').focus()")
    order = []
    for _ in range(15):
        model.keyboard.press("Tab")
        order.append(model.evaluate("document.activeElement.id"))
        ring = "getComputedStyle(document.activeElement).outlineStyle"
        assert order[-1] == "" or model.evaluate(ring) != "none", order[-1]
    expected = ["prompt", "send", "temperature", "top-p", "top-k", "seed", "max-tokens", "chat", "measure"]
    assert [name for name in order if name in expected] == expected
    model.focus("#prompt")


def test_the_articles_own_page_answers(browser: Browser, package: Path, tmp_path: Path) -> None:
    """Sections 6.5 and 6.6: the page unchanged except for the cast, at the addresses that it names."""
    copy = shutil.copytree(package, tmp_path / "article")
    attach(copy, module_bytes(), program_maker())
    stem = re.escape(next(copy.glob("*.wgsl")).stem)
    with served(copy) as url, new_page(browser) as page:
        tokenizer = (copy / "tokenizer.json").read_text(encoding="utf-8")
        vocab, merges = vocabulary(tokenizer)

        def webgpu(route: Route) -> None:
            name = re.sub(r"^llama4-7b-int4(?=\.wgsl)", stem, route.request.url.rpartition("/")[2])
            route.fulfill(response=route.fetch(url=f"{url}model/{name}", timeout=milliseconds(60)))

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
        expect(page.locator("#output")).not_to_have_text(re.compile("Generating|^$"))
        assert page.locator("#output").text_content()


def vocabulary(tokenizer: str) -> tuple[str, str]:
    """Return vocab.json and merges.txt of a tokenizer.json."""
    model = json.loads(tokenizer)["model"]
    return json.dumps(model["vocab"]), "\n".join(" ".join(pair) for pair in model["merges"])
