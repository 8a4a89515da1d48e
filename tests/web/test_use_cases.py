"""The pages of the article's use cases (section 8), in Chromium on a software adapter, over `llq serve`."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.support.repository import ROOT
from tests.support.web.chromium import chromium, new_page
from tests.support.web.demo_page import SHARD, WEBGPU_ON_CPU, opened
from tests.support.web.scripted_package import PROMPT, TEXT, scripted_package
from tests.support.web.serving import served

pytestmark = pytest.mark.browser

LOOKS = ROOT / "tests" / "support" / "web" / "pages" / "looks.js"
CHAT_TEXT = f"{PROMPT}{TEXT}"
"""What the model answers to messages."""
SEEN = """selector => {
    window.seen = [];
    new MutationObserver(() => {
        const text = document.querySelector(selector)?.textContent ?? "";
        if (text && seen.at(-1) !== text) seen.push(text);
    }).observe(document.body, {childList: true, subtree: true, characterData: true});
}"""
"""Collects the texts that an element has, one after the other."""
PROMPTS = """async () => {
    const { Session } = await import("/dist/webgpu-llama4.js");
    const stream = Session.prototype.stream;
    window.prompts = [];
    Session.prototype.stream = function (prompt, options) {
        prompts.push(prompt);
        return stream.call(this, prompt, options);
    };
}"""
"""Collects the prompts that sessions answer."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(*WEBGPU_ON_CPU) as browser:
        yield browser


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(scripted_package(tmp_path_factory.mktemp("use_cases"))) as url:
        yield url


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    with opened(browser, url) as page:
        yield page


def load(page: Page, title: str) -> None:
    """Go from the demo page to the page with this link, and load the model."""
    page.get_by_role("navigation").get_by_role("link", name=title).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    expect(page.locator("#controls[disabled]")).to_have_count(1)
    page.evaluate(PROMPTS)
    page.click("#load")
    expect(page.locator("#loading-text")).to_contain_text("is ready")
    expect(page.locator("#controls:not([disabled])")).to_have_count(1)


def looks(page: Page) -> None:
    """Check the page as shown, in each width and scheme: nothing cut off, unlabelled or too pale."""
    for width in (320, 390, 1280):
        page.set_viewport_size(ViewportSize(width=width, height=800))
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
            report = page.evaluate(LOOKS.read_text(encoding="utf-8"))
            assert report["texts"] > 5
            assert report["faults"] == [], f"{width} pixels, {scheme}"


def test_a_paragraph_is_translated_sentence_by_sentence(page: Page) -> None:
    load(page, "Translate")
    page.fill("#paragraph", "It rains. We wait!")
    page.select_option("#language", label="German")
    page.evaluate(SEEN, "#sentences li:first-child .target")
    page.click("#go")
    expect(page.locator("#summary")).to_have_text(re.compile(r"2 sentences in [\d.]+ s, [\d.]+ s for each\."))
    assert page.locator(".source").all_text_contents() == ["It rains.", "We wait!"]
    assert page.locator(".target").all_text_contents() == [CHAT_TEXT.strip()] * 2
    expect(page.locator(".time").last).to_have_text(re.compile(r"^\d+\.\d\d s$"))
    seen = page.evaluate("seen")
    assert len(seen) > 5
    assert all(CHAT_TEXT.startswith(text) for text in seen)
    first, second = page.evaluate("prompts")
    assert first == [{"role": "user", "content": "Translate into German.\nText: It rains.\nGerman:"}]
    assert second[0]["content"] == "Translate into German.\nText: We wait!\nGerman:"
    expect(page.locator("#status")).to_contain_text(CHAT_TEXT.strip())
    looks(page)
    page.click("#go")
    page.keyboard.press("Escape")
    expect(page.locator("#summary")).to_have_text("Stopped.")


def test_code_is_completed_by_ghost_text_and_each_key_aborts(page: Page) -> None:
    load(page, "Complete code")
    expect(page.locator("#code")).to_be_focused()
    page.fill("#code", PROMPT)
    ghost = page.locator("#ghost")
    expect(page.locator("#latency")).to_contain_text(re.compile(r"First text after .* tokens in"))
    expect(ghost).to_have_text(TEXT.rstrip())
    assert page.evaluate("prompts.at(-1)") == PROMPT
    looks(page)

    page.keyboard.press("Escape")
    expect(ghost).to_be_empty()
    page.fill("#code", f"# {PROMPT}")
    expect(page.locator("#accept")).to_be_enabled()
    expect(page.locator("#latency")).to_contain_text("tokens in")
    page.keyboard.press("Tab")
    expect(page.locator("#code")).to_have_value(f"# {PROMPT}{TEXT.rstrip()}")
    expect(page.locator("#code")).to_be_focused()

    # the next key comes as soon as a part of the suggestion is there
    page.evaluate(
        """() => new MutationObserver((_, observer) => {
            const ghost = document.getElementById("ghost").textContent;
            if (!ghost) return;
            observer.disconnect();
            window.part = ghost;
            document.execCommand("insertText", false, "!");
            window.after = document.getElementById("ghost").textContent;
        }).observe(document.getElementById("ghost"), {childList: true, characterData: true})"""
    )
    page.fill("#code", PROMPT)
    expect(page.locator("#latency")).to_contain_text(re.compile(r"tokens in .*Aborted requests: [1-9]"))
    expect(page.locator("#code")).to_have_value(f"{PROMPT}!")
    assert TEXT.startswith(page.evaluate("part"))
    assert page.evaluate("part") != TEXT.rstrip()
    assert page.evaluate("after") == ""
    assert page.evaluate("prompts.at(-1)") == f"{PROMPT}!"


def test_a_story_goes_on_with_its_state(page: Page) -> None:
    load(page, "Tell a story")
    page.fill("#temperature", "0")
    page.fill("#seed", "7")
    page.fill("#setting", "a lighthouse")
    expect(page.locator("#act")).to_be_disabled()
    page.evaluate(SEEN, ".message.assistant .text")
    page.click("#begin")
    expect(page.locator(".measured")).to_have_count(1)
    assert page.locator(".message.assistant .text").all_text_contents() == [CHAT_TEXT]
    assert len(page.evaluate("seen")) > 5
    expect(page.locator("#action")).to_be_focused()
    tokens = [held(page)]

    page.fill("#action", "I knock.")
    page.keyboard.press("Enter")
    expect(page.locator(".measured")).to_have_count(2)
    tokens.append(held(page))
    assert tokens[0] < tokens[1] <= 256
    first, second = page.evaluate("prompts")
    opening = "Write a story about a lighthouse, in the second person. Each turn has two short sentences."
    assert first == [{"role": "user", "content": opening}]
    assert second == [
        *first,
        {"role": "assistant", "content": CHAT_TEXT},
        {"role": "user", "content": "I knock."},
    ]
    looks(page)

    page.click("#back")
    expect(page.locator(".message")).to_have_count(2)
    page.fill("#action", "I wait.")
    page.click("#act")
    expect(page.locator(".measured")).to_have_count(2)
    assert page.evaluate("prompts.at(-1)")[-1] == {"role": "user", "content": "I wait."}
    assert len(page.evaluate("prompts.at(-1)")) == 3
    page.click("#begin")
    expect(page.locator(".measured")).to_have_count(1)
    assert page.evaluate("prompts.at(-1)") == first
    assert held(page) == tokens[0]


def held(page: Page) -> int:
    """Return the number of tokens that the session holds, as the page reports it."""
    text = page.locator("#memory")
    expect(text).to_have_text(re.compile(r"The session holds \d+ of 256 tokens\."))
    return int((text.text_content() or "").split()[3])


@pytest.mark.parametrize("name", ["translate", "complete", "story"])
def test_a_browser_without_webgpu_is_reported(browser: Browser, url: str, name: str) -> None:
    with new_page(browser) as page:
        page.add_init_script("delete Navigator.prototype.gpu")
        page.goto(f"{url}demo/{name}.html?model=../elsewhere/")
        expect(page.locator("#fault")).to_contain_text("This browser has no WebGPU")
        expect(page.locator("#load")).to_be_disabled()
        looks(page)
        page.get_by_role("link", name="Chat").click()
        assert page.url.endswith("/demo/?model=../elsewhere/")


def test_a_missing_file_is_reported_and_loading_can_be_repeated(page: Page, url: str) -> None:
    page.goto(f"{url}demo/translate.html")
    page.route(SHARD, lambda route: route.fulfill(status=404, body="not found"))
    page.click("#load")
    expect(page.locator("#fault")).to_contain_text("missing on the server")
    expect(page.locator("#fault")).to_contain_text("404")
    looks(page)
    page.unroute(SHARD)
    page.route(SHARD, lambda _route: None)  # never answers
    page.click("#load")
    expect(page.locator("#fault")).to_be_hidden()
    page.click("#load")  # is now "Cancel"
    expect(page.locator("#load")).to_have_text("Load the model")


def test_the_pages_say_what_a_small_model_cannot_do() -> None:
    for name in ("translate", "complete", "story"):
        text = Path(ROOT, "web", "demo", f"{name}.html").read_text(encoding="utf-8")
        assert "A model of 135 million parameters cannot" in text
