"""The site in Chromium, narrow and wide, light and dark: nothing overflows, and axe finds no violation."""

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.support import npm
from tests.support.web.chromium import chromium, new_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = (
    "index.html",
    "1.0/packing.html",
    "1.0/records.html",
    "1.0/terms.html",
    "rules/LLQ-PACK-3.html",
    "rules/LLQ-HASH-1.html",
    "rules/index.html",
    "guides/conformance.html",
    "guides/quality.html",
    "guides/webgpu.html",
    "measurements/kill-matrix.html",
    "measurements/mutants.html",
    "measurements/mutation-operators.html",
    "measurements/runtimes.html",
    "search.html",
)
WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")
HERE = Path(__file__).parent
CUT = """() => {
  for (const row of document.querySelectorAll("tbody > tr:nth-child(n + 31)")) row.remove();
}"""
"""Removes all but 30 rows of each table: the others look alike, and axe needs minutes for them."""

VIOLATIONS = """async () => (await axe.run()).violations.map(({ id, nodes }) =>
  [id, nodes.length, ...nodes.slice(0, 3).map((node) => node.html + ": " + node.failureSummary)])"""

IN_VIEW = """() => {
  const { top } = document.getElementById("LLQ-PACK-3").getBoundingClientRect();
  return top >= 0 && top < innerHeight;
}"""


class QuietHandler(SimpleHTTPRequestHandler):
    """A handler that logs nothing."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Log nothing."""


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Serve the site, and return its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(site)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def axe() -> Path:
    """Return the script of axe."""
    npm.install(HERE)
    return HERE / "node_modules" / "axe-core" / "axe.min.js"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_pages_fit_and_axe_finds_no_violation(
    address: str, browser: Browser, axe: Path, width: int, scheme: str
) -> None:
    requests: list[str] = []
    with new_page(
        browser, viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    ) as page:
        page.on("request", lambda request: requests.append(request.url))
        for name in PAGES:
            page.goto(f"{address}/{name}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            page.evaluate(CUT)
            page.add_script_tag(path=axe)
            assert page.evaluate(VIOLATIONS) == [], name
    assert [url for url in requests if not url.startswith((address, "data:"))] == []


def test_the_anchor_of_a_rule_is_scrolled_to(address: str, browser: Browser) -> None:
    with new_page(browser, viewport={"width": 1280, "height": 900}, reduced_motion="reduce") as page:
        page.goto(f"{address}/1.0/#LLQ-PACK-3")
        page.wait_for_function(IN_VIEW)


def test_full_text_search_finds_a_rule(address: str, browser: Browser) -> None:
    with new_page(browser) as page:
        page.goto(f"{address}/search.html?q=zero_point+bytes")
        page.locator("#search-results li a").first.wait_for()
        page.goto(f"{address}/search.html?q=LLQ-PACK-3")
        page.locator('#search-results li a[href*="LLQ-PACK-3"]').first.wait_for()


def test_the_kill_matrix_is_filtered(address: str, browser: Browser) -> None:
    with new_page(browser) as page:
        page.goto(f"{address}/measurements/kill-matrix.html")
        rows = page.locator("table.kills tbody tr:visible")
        everything = rows.count()
        page.locator("#kill-filter").fill("nibble pairs")
        assert 0 < rows.count() < everything
