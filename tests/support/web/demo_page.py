"""The demo page in Chromium: started, opened, loaded and asked."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

FLAGS = ["--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]
SHARD = "**/model/*.llq"
TIMEOUT = 120_000  # milliseconds: kernels are compiled by the CPU, which others use too
READY = "body[data-state=ready]"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Provide the system's Chromium, with WebGPU on the CPU. Raises FileNotFoundError where it is missing."""
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        raise FileNotFoundError("Chromium is needed: .ci/system-packages installs it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, url: str, *, timeout: float = TIMEOUT) -> Iterator[Page]:
    """Provide the page, in a browser that has stored nothing; requests must go to the server alone."""
    context = browser.new_context(viewport=ViewportSize(width=1280, height=800))
    page = context.new_page()
    page.set_default_timeout(timeout)
    expect.set_options(timeout=timeout)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: faults.append(request.url))
    page.goto(url)
    yield page
    context.close()
    found = [fault for fault in faults if not fault.startswith(("data:", url))]
    if found:
        raise AssertionError(f"the page failed, or asked elsewhere: {found}")


def load(page: Page) -> None:
    """Load the model."""
    page.click("#load")
    page.wait_for_selector(READY)


def ask(page: Page, text: str) -> None:
    """Ask greedily, with the text continued as it is, once the last answer is complete."""
    page.wait_for_selector(READY)
    page.eval_on_selector("#temperature", "it => { it.value = 0; it.dispatchEvent(new Event('input')) }")
    page.uncheck("#chat")
    page.fill("#prompt", text)
    page.press("#prompt", "Enter")


def said(page: Page) -> str:
    """Return the text of the last answer."""
    return page.locator(".message.assistant .text").last.text_content() or ""
