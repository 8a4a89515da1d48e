"""The demo page in Chromium: start, open, load and ask."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, ViewportSize

from tests.support.timeouts import milliseconds
from tests.support.web.chromium import ANSWER, new_page

WEBGPU_ON_CPU = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
SHARD = "**/model/*.llq"
READY = "body[data-state=ready]"


@contextmanager
def opened(browser: Browser, url: str, *, limit: float = ANSWER) -> Iterator[Page]:
    """Provide the page, in a browser that has stored nothing; requests must go to the server alone.

    limit: time limit for the page in seconds, on an idle machine.
    """
    faults: list[str] = []
    with new_page(browser, viewport=ViewportSize(width=1280, height=800)) as page:
        page.set_default_timeout(milliseconds(limit))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: faults.append(request.url))
        page.goto(url)
        yield page
    failures = [fault for fault in faults if not fault.startswith(("data:", url, f"blob:{url}"))]
    if failures:
        raise AssertionError(f"the page failed, or requested another server: {failures}")


def load(page: Page) -> None:
    """Load the model."""
    page.click("#load")
    page.wait_for_selector(READY)


def ask(page: Page, text: str) -> None:
    """Ask for a greedy continuation of the text without a template, once the last answer is complete."""
    page.wait_for_selector(READY)
    page.eval_on_selector("#temperature", "it => { it.value = 0; it.dispatchEvent(new Event('input')) }")
    page.uncheck("#chat")
    page.fill("#prompt", text)
    page.press("#prompt", "Enter")


def last_answer(page: Page) -> str:
    """Return the text of the last answer."""
    return page.locator(".message.assistant .text").last.text_content() or ""
