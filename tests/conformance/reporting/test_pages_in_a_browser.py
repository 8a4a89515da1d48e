"""The pages of reports as people use them: in Chromium, by keyboard, narrow and wide, light and dark."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from conformance.core.rules import registry
from conformance.reporting.comparison import Comparison
from conformance.reporting.html.comparison_page import comparison_page
from conformance.reporting.html.report_page import report_page
from examples.python.miniatures import NibblePairs, Right
from tests.support.sample_reports import Hostile, report_of
from tests.support.web.chromium import chromium, new_page

pytestmark = pytest.mark.browser

WIDE, NARROW = ViewportSize(width=1280, height=900), ViewportSize(width=390, height=800)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    for runtime in (NibblePairs, Hostile):
        path = folder / f"{runtime.__name__}.html"
        path.write_text(report_page(report_of(runtime), folder), encoding="utf-8")
    comparison = Comparison.of([report_of(Right), report_of(NibblePairs)])
    (folder / "comparison.html").write_text(comparison_page(comparison, folder), encoding="utf-8")
    return folder


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Provide a page on which nothing is requested, and nothing goes wrong in a script."""
    faults: list[str] = []
    with new_page(browser, viewport=WIDE) as page:
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text))
        page.on("dialog", lambda dialog: faults.append(dialog.message))
        page.on("request", lambda request: faults.append(request.url))
        yield page
    assert [fault for fault in faults if not fault.startswith(("file:", "data:"))] == []


def rules_shown(page: Page) -> list[str]:
    visible: list[str] = page.eval_on_selector_all(
        ".rule, [data-rule]", "all => all.filter(e => e.getClientRects().length).map(e => e.id)"
    )
    return visible


def test_a_failed_rule_is_open(page: Page, pages: Path) -> None:
    page.goto((pages / "NibblePairs.html").as_uri())
    assert page.title() == "NibblePairs 0: LLQ conformance"
    assert page.locator("#LLQ-PACK-3").get_attribute("open") is not None
    assert page.locator("#LLQ-PKG-1").get_attribute("open") is None
    assert page.get_by_text("block 0 (0, 0), row 0, column 0 of the block").first.is_visible()


def test_filters_and_search(page: Page, pages: Path) -> None:
    page.goto((pages / "NibblePairs.html").as_uri())
    assert len(rules_shown(page)) == len(registry())
    for box in page.locator(".controls fieldset input").all():
        if box.get_attribute("value") != "failed":
            box.uncheck()
    assert rules_shown(page) == ["LLQ-PACK-3"]
    assert page.get_by_role("status").inner_text() == f"1 of {len(registry())} rules shown"
    assert page.locator("h3:visible").count() == 1
    for box in page.locator(".controls fieldset input").all():
        box.check()
    page.get_by_label("Search").fill("LOW-ORDER bits")
    assert "LLQ-PACK-3" in rules_shown(page)
    assert len(rules_shown(page)) < 5
    page.get_by_label("Search").fill("no such words")
    assert rules_shown(page) == []


def test_a_link_reaches_a_rule_that_a_filter_hides(page: Page, pages: Path) -> None:
    page.goto((pages / "NibblePairs.html").as_uri())
    page.get_by_label("Search").fill("no such words")
    page.evaluate("location.hash = '#LLQ-ACT-1'")
    page.locator("#LLQ-ACT-1[open]").wait_for()
    assert page.locator("#LLQ-ACT-1").is_visible()


def test_the_keyboard_suffices(page: Page, pages: Path) -> None:
    page.goto((pages / "NibblePairs.html").as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the rules"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "search"
    page.locator("#LLQ-PKG-1 > summary").focus()
    page.keyboard.press("Enter")
    assert page.locator("#LLQ-PKG-1").get_attribute("open") is not None


def test_the_command_is_copied(page: Page, pages: Path) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto((pages / "NibblePairs.html").as_uri())
    page.get_by_role("button", name="Copy the command that reruns worked-example").click()
    page.get_by_text("Copied: the command that reruns it").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == "llq rerun worked-example --runtime=py:examples.python.miniatures:NibblePairs"


@pytest.mark.parametrize("name", ["NibblePairs.html", "comparison.html"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_nothing_sticks_out(page: Page, pages: Path, name: str, size: ViewportSize) -> None:
    page.set_viewport_size(size)
    page.goto((pages / name).as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


CONTRAST = """() => {
  const channel = (c) => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
  const luminance = (css) => {
    const [r, g, b] = css.match(/[\\d.]+/g).map(Number).map(channel);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const paper = (e) => {
    for (; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (!/, 0\\)$/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const texts = [...document.querySelectorAll("body *")].filter((e) =>
    e.getClientRects().length && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
  return Math.min(...texts.map((e) => {
    const [a, b] = [luminance(getComputedStyle(e).color), luminance(paper(e))];
    return (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  }));
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["NibblePairs.html", "Hostile.html", "comparison.html"])
def test_text_can_be_read_in_light_and_dark(page: Page, pages: Path, name: str, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto((pages / name).as_uri())
    assert page.evaluate(CONTRAST) >= 4.5  # WCAG 2.2, level AA
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")


def test_what_a_runtime_writes_does_not_run(page: Page, pages: Path) -> None:
    page.goto((pages / "Hostile.html").as_uri())
    assert page.title() == "Hostile 0: LLQ conformance"
    assert page.locator("img").count() == 0
    assert page.get_by_text('document.title="owned"').first.is_visible()


def test_without_scripts_all_can_be_read(browser: Browser, pages: Path) -> None:
    with new_page(browser, java_script_enabled=False) as page:
        page.goto((pages / "NibblePairs.html").as_uri())
        assert page.get_by_text("block 0 (0, 0), row 0, column 0 of the block").first.is_visible()
        assert not page.get_by_label("Search").is_visible()
        assert not page.get_by_role("button").first.is_visible()


def test_the_comparison_folds_filters_and_opens(page: Page, pages: Path) -> None:
    page.goto((pages / "comparison.html").as_uri())
    page.get_by_label("only where runtimes differ").check()
    assert "LLQ-PACK-3" in rules_shown(page)
    assert "LLQ-PKG-1" not in rules_shown(page)
    page.get_by_label("only where runtimes differ").uncheck()
    fold = page.get_by_role("button", name="fold the rules of PACK", exact=True)
    fold.click()
    assert not page.locator("#LLQ-PACK-3").is_visible()
    page.evaluate("location.hash = '#LLQ-PACK-3'")
    page.locator("#LLQ-PACK-3 details[open]").wait_for()
    assert page.get_by_text(registry()["LLQ-PACK-3"].remedy).is_visible()
