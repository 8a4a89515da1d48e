"""The page of `llq eval` in Chromium: narrow and wide, light and dark, and hostile names on it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, ViewportSize

from llq_format.evaluation import BlockMap
from llq_format.evaluation.eval_page import Sample, eval_page
from tests.conformance.reporting.test_pages_in_a_browser import CONTRAST, NARROW, WIDE
from tests.conformance.reporting.test_pages_in_a_browser import browser as browser  # noqa: PLC0414  # fixtures
from tests.conformance.reporting.test_pages_in_a_browser import page as page  # noqa: PLC0414

pytestmark = pytest.mark.browser

HOSTILE = '<img src="x" onerror="document.title=1">'


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page of thirty layers whose names and texts are markup."""
    rng = np.random.default_rng(4)
    maps = [
        BlockMap(
            f"layers.{layer}.{kind}",
            rng.random((48, 9), np.float32) + np.float32(0.1),
            rng.random((48, 9)) if kind == "ffn.gate_up" else None,
            0.2 if kind == "ffn.gate_up" else None,
        )
        for layer in range(30)
        for kind in ("attention.qkv", "ffn.gate_up")
    ]
    estimate = {"value": 1.5, "low": 1.25, "high": 123456.75}
    score: dict[str, Any] = {
        **dict.fromkeys(("perplexity", "change", "divergence", "same_top"), estimate),
        "divergence_99": 2.5,
    }
    report = {
        "name": HOSTILE,
        "against": "model.gguf",
        "path": "/a/long/path" * 12,
        "checkpoint": "model.gguf",
        "text": HOSTILE,
        "text_sha256": "0" * 64,
        "tokens": 4096,
        "sequences": 8,
        "original_perplexity": 24.0,
        "weights": score,
        "exact": score,
        "layers": [{"own": 0.01 * layer, "accumulated": 0.02} for layer in range(30)],
        "provenance": {"method": HOSTILE, "seed": 0},
    }
    path = tmp_path_factory.mktemp("eval") / "eval.html"
    sample = Sample(HOSTILE, "a" * 300, "words " * 40, "other words")
    path.write_text(eval_page(report, maps, [sample], ""), encoding="utf-8")
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_all_can_be_read_and_nothing_sticks_out(
    page: Page, written: Path, size: ViewportSize, scheme: str
) -> None:
    page.set_viewport_size(size)
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(written.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert page.evaluate(CONTRAST) >= 4.5  # WCAG 2.2, level AA


def test_pictures_are_shown_and_named(page: Page, written: Path) -> None:
    page.goto(written.as_uri())
    assert page.title() == f"{HOSTILE} against model.gguf: LLQ evaluation"  # text, and no script that ran
    widths = page.eval_on_selector_all(".maps img", "all => all.map(e => [e.naturalWidth, e.naturalHeight])")
    assert widths == [[9, 48]] * (30 + 60)
    assert page.get_by_alt_text("layers.29.ffn.gate_up: ").count() == 2  # error and scale
    assert page.get_by_text("Layer 29 has the largest error.").is_visible()
    assert page.get_by_text("The coordinates of 30 of 60 matrices were not recognised").is_visible()
