"""Pictures of the demo page, to be looked at: `python -m tests.support.web.demo_pictures FOLDER [PACKAGE]`.

Each state is taken at 1280 and 390 pixels, light and dark; of a tiny model, unless a package is given, which
is then asked in chat.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, Page, Route

from tests.support.timeouts import milliseconds
from tests.support.web.chromium import chromium, new_page
from tests.support.web.demo_page import SHARD, WEBGPU_ON_CPU, ask, opened
from tests.support.web.scripted_package import PROMPT, scripted_package
from tests.support.web.serving import served

WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")
ANSWER = 900.0  # seconds: a real model on a software adapter takes seconds a token


def pictures(page: Page, folder: Path, state: str) -> None:
    """Write `STATE-WIDTH-SCHEME.png` of the page in its current state, in each width and scheme."""
    for width in WIDTHS:
        for scheme in SCHEMES:
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
            page.screenshot(path=folder / f"{state}-{width}-{scheme}.png", full_page=state == "measured")
    page.set_viewport_size({"width": 1280, "height": 800})


def talk(browser: Browser, url: str, folder: Path, *, chat: bool) -> None:
    """Take pictures before, during and after an answer."""
    with opened(browser, url, limit=ANSWER) as page:
        page.wait_for_selector("body[data-state=idle]")
        pictures(page, folder, "before")
        routes: list[Route] = []

        def hold(route: Route) -> None:
            piece = route.request.headers.get("range", "bytes=0-")
            if routes or (chat and piece.startswith("bytes=0-")):
                route.continue_()
            else:
                routes.append(route)

        page.route(SHARD, hold)
        page.click("#load")
        begun = "bar').value > 0" if chat else "amount').textContent"
        page.wait_for_function(f"document.getElementById('{begun}")
        pictures(page, folder, "loading")
        for route in routes:
            route.continue_()
        page.unroute(SHARD)
        page.wait_for_selector("body[data-state=ready]")
        pictures(page, folder, "ready")
        if chat:
            page.fill("#max-tokens", "24")
            page.fill("#prompt", "What is the capital of France?")
            page.press("#prompt", "Enter")
        else:
            ask(page, PROMPT)
        page.wait_for_function("document.querySelector('.message.assistant .text')?.textContent.length > 4")
        pictures(page, folder, "answering")
        page.wait_for_selector(".measured")
        page.click("#measure")
        page.wait_for_selector("#picture svg")
        pictures(page, folder, "measured")


def faults(browser: Browser, url: str, folder: Path) -> None:
    """Take pictures of the page's error messages."""

    def missing(route: Route) -> None:
        route.fulfill(status=404, body="not found")

    def changed(route: Route) -> None:
        response = route.fetch(timeout=milliseconds(60))
        body = bytearray(response.body())
        body[1000] ^= 1
        route.fulfill(response=response, body=bytes(body))

    for state, answer in (("missing", missing), ("damaged", changed)):
        with opened(browser, url) as page:
            page.wait_for_selector("body[data-state=idle]")
            page.route(SHARD, answer)
            page.click("#load")
            page.wait_for_selector("#notice")
            pictures(page, folder, state)
    without(browser, url, folder)


def without(browser: Browser, url: str, folder: Path) -> None:
    """Take pictures of the page in a browser that has no WebGPU."""
    with new_page(browser) as page:
        page.add_init_script("delete Navigator.prototype.gpu")
        page.goto(url)
        page.wait_for_selector("#notice")
        pictures(page, folder, "no-webgpu")


def main(folder: Path, package: Path | None) -> None:
    """Take all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    steps: list[Callable[[Browser, str], None]] = [
        lambda browser, url: faults(browser, url, folder),
        lambda browser, url: talk(browser, url, folder, chat=package is not None),
    ]
    with (
        TemporaryDirectory() as directory,
        served(package or scripted_package(Path(directory))) as url,
        chromium(*WEBGPU_ON_CPU) as browser,
    ):
        for step in steps:
            step(browser, url)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
