"""The demo page in frames without an origin, and where storage is forbidden: its state is clear in each."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Frame, Page, expect

from llq_format.synth import synth
from tests.support.web.chromium import chromium, new_page
from tests.support.web.demo_page import WEBGPU_ON_CPU
from tests.support.web.serving import served

pytestmark = pytest.mark.browser

FORBIDDEN = """
    for (const name of ["localStorage", "sessionStorage", "indexedDB", "caches"]) {
        Object.defineProperty(globalThis, name, {
            get() { throw new DOMException(`${name} is forbidden`, "SecurityError"); },
        });
    }
"""
"""Makes every access to storage of the platform fail, as settings of browsers can."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # a frame without an origin may otherwise not reach a server of this machine
    with chromium(*WEBGPU_ON_CPU, "--disable-features=LocalNetworkAccessChecks") as browser:
        yield browser


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("frames") / "package"
    synth("tiny", directory)
    return directory


def framed(page: Page, url: str) -> Frame:
    """Return a sandboxed frame that shows the demo."""
    body = f'<!doctype html><title>Frame</title><iframe sandbox="allow-scripts" src="{url}"></iframe>'
    page.route(f"{url}framed", lambda route: route.fulfill(body=body, content_type="text/html"))
    page.goto(f"{url}framed")
    return page.frames[-1]


def test_a_sandboxed_frame_shows_the_model_where_the_server_allows_other_origins(
    browser: Browser, package: Path
) -> None:
    with served(package, "--allow-origin", "*") as url, new_page(browser) as page:
        frame = framed(page, url)
        frame.wait_for_selector("body[data-state=idle]")
        expect(frame.locator("#load")).to_be_enabled()
        expect(frame.locator("#size")).to_contain_text("are loaded once")


def test_a_sandboxed_frame_shows_what_to_do_where_no_script_may_run(browser: Browser, package: Path) -> None:
    with served(package) as url, new_page(browser) as page:
        frame = framed(page, url)
        expect(frame.locator("#size")).to_contain_text("open the page in a tab of its own")
        expect(frame.locator("#size")).to_be_visible()
        expect(frame.locator("#load")).to_be_disabled()


def test_a_page_that_may_not_use_storage_starts(browser: Browser, package: Path) -> None:
    with served(package) as url, new_page(browser) as page:
        page.add_init_script(FORBIDDEN)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(url)
        page.wait_for_selector("body[data-state=idle]")
        expect(page.locator("#load")).to_be_enabled()
        assert errors == []
