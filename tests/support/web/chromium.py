"""The system's Chromium as tests use it, with the time limits of tests."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.timeouts import milliseconds

ANSWER = 120.0
"""Time limit for a page in seconds: the CPU compiles its kernels."""


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """Provide the browser. Raises FileNotFoundError where it is missing."""
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        raise FileNotFoundError("Chromium is needed: .ci/system-packages installs it")
    expect.set_options(timeout=milliseconds(ANSWER))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", *flags], timeout=milliseconds(60)
        )
        yield browser
        browser.close()


@contextmanager
def new_page(browser: Browser, **options: Any) -> Iterator[Page]:
    """Provide a page in a browser that has stored nothing; options: options of the context."""
    context = browser.new_context(**options)
    context.set_default_timeout(milliseconds(ANSWER))
    yield context.new_page()
    context.close()
