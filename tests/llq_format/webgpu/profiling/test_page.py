"""Pages of profiles in Chromium, wide and narrow, light and dark; hostile names; the matrix of devices."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ViewportSize

from llq_format.webgpu.profiling.comparison import METRICS, best, cell, merge
from llq_format.webgpu.profiling.page import matrix_page, profile_page
from llq_format.webgpu.profiling.report import ProfileError, ProfileReport
from llq_format.webgpu.profiling.timeline import kind
from tests.support.web.chromium import chromium, new_page
from tests.support.webgpu.profiles import elsewhere, measured

pytestmark = pytest.mark.browser

HOSTILE = "</title><script>alert(1)</script>\"'&{{body}}\x00"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def test_entry_points_of_every_pass_have_a_colour_of_their_own() -> None:
    decoded = {
        row["entry_point"] for phase in ("decode", "prefill") for row in measured()[phase]["entry_points"]
    }
    fused = {"gated_int8": "product", "hidden_int8": "rounding", "fused_attention": "attention"}
    kinds = {entry_point: kind(entry_point) for entry_point in decoded} | {
        entry_point: kind(entry_point) for entry_point in fused
    }
    assert {entry_point for entry_point, group in kinds.items() if group == "rest"} <= {"embed"}
    assert {entry_point: kinds[entry_point] for entry_point in fused} == fused


def _pages() -> dict[str, str]:
    value = measured()
    value["device"]["adapter"] = value["model"]["name"] = HOSTILE
    value["decode"]["timeline"][0]["label"] = HOSTILE
    hostile = ProfileReport(value)
    reports = [("here", ProfileReport(measured())), ("there", elsewhere()), ("hostile", hostile)]
    return {
        "profile": profile_page(ProfileReport(measured())),
        "hostile": profile_page(hostile),
        "matrix": matrix_page(merge(reports)),
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_fit_and_ask_for_nothing(browser: Browser, tmp_path: Path, width: int, scheme: str) -> None:
    size = ViewportSize(width=width, height=900)
    faults: list[str] = []
    with new_page(browser, viewport=size, color_scheme=scheme) as page:
        page.on("console", lambda message: faults.append(message.text))
        page.on("dialog", lambda dialog: faults.append(dialog.message))
        page.on("request", lambda request: faults.append(request.url))
        for name, text in _pages().items():
            path = tmp_path / f"{name}.html"
            path.write_text(text, encoding="utf-8")
            page.goto(path.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            assert page.locator("h1").count() == 1
            assert page.locator("script").count() == 0
            paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
    assert [fault for fault in faults if not fault.startswith(("file:", "data:"))] == []


def test_every_dispatch_is_a_bar_within_the_picture(browser: Browser, tmp_path: Path) -> None:
    value = measured()
    path = tmp_path / "profile.html"
    path.write_text(profile_page(ProfileReport(value)), encoding="utf-8")
    with new_page(browser) as page:
        page.goto(path.as_uri())
        events = value["decode"]["timeline"] + value["prefill"]["timeline"]
        assert page.locator(".lanes .bar").count() == len(events)
        assert page.locator(".blocks .bar").count() == len(value["block_times_ms"])
        titles = page.locator(".lanes .bar title").all_text_contents()
        assert [title.split(" · ")[0] for title in titles] == [event["label"] for event in events]
        last = page.locator(".lanes").first.locator(".bar").last.bounding_box()
        drawing = page.locator(".lanes svg").first.bounding_box()
        assert last is not None
        assert drawing is not None
        assert last["x"] + last["width"] <= drawing["x"] + drawing["width"] + 2


def test_names_are_text_and_nothing_else() -> None:
    text = _pages()["hostile"]
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "\x00" not in text
    assert text.count("{{body}}") > 0  # as it was named, not filled in
    assert text.count("<body>") == 1


def test_a_matrix_has_a_column_a_device_and_the_best_marked() -> None:
    slow = elsewhere()
    slow.value["decode"]["tokens_per_s"] = 0.5
    matrix = merge([("a", ProfileReport(measured())), ("b", slow)])
    value = matrix.to_json()
    assert [column["device"] for column in value["columns"]] == sorted(
        [measured()["device"]["adapter"], "Elsewhere 9000"]
    )
    (model,) = value["models"]
    rows = {row["name"]: row["values"] for row in model["metrics"]}
    assert set(rows) == {metric.name for metric in METRICS}
    assert rows["decode"][0] == 0.5
    assert rows["memory_usage_mb"] == [measured()["memory_usage_mb"]] * 2
    assert matrix.warnings == []
    assert f"<strong>{cell(measured()['decode']['tokens_per_s'])}</strong>" in matrix_page(matrix)


def test_reports_that_differ_in_more_than_the_device_are_distinguished() -> None:
    second = elsewhere()
    second.value["program"]["context"] = 4096
    matrix = merge([("a", ProfileReport(measured())), ("b", second)])
    assert matrix.warnings == ["tiny: the reports differ in context: 32, 4096"]


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_reports_of_one_device_the_latest_counts(order: int) -> None:
    new, old = elsewhere(date="2031-01-02T00:00:00Z"), elsewhere(date="2030-01-02T00:00:00Z")
    new.value["memory_usage_mb"] = 7  # type: ignore[index]  # a dict underneath
    matrix = merge([("x", new), ("y", old)][::order])
    assert len(matrix.columns) == 1
    metric = next(metric for metric in METRICS if metric.name == "memory_usage_mb")
    assert matrix.row("tiny", metric) == [7]
    assert matrix.warnings == [
        "tiny was measured more than once on Elsewhere 9000: the latest report is used"
    ]


def test_the_articles_three_members_make_a_column() -> None:
    least = {
        "block_times_ms": [1.2, 1.1, 0.9],
        "memory_usage_mb": 4580,
        "workgroup_occupancy": 0.78,
        "occupancy": {"of": "waves"},
    }
    matrix = merge([("phone", ProfileReport(least))])
    assert matrix.columns[0].device == "phone"
    rows = {metric.name: matrix.row("unnamed model", metric) for metric in METRICS}
    assert rows["block_times_ms, median"] == [1.1]
    assert rows["decode"] == [None]
    assert "4,580" in matrix_page(matrix)


def test_best_values() -> None:
    assert best([1, None, 3], "more") == 3
    assert best([1, None, 3], "less") == 1
    assert best([1, 1], "less") is None
    assert best([1, 3], "neither") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a profile"),
        ('{"block_times_ms": [NaN]}', "NaN is not a JSON number"),
        (json.dumps({"block_times_ms": ["1"], "memory_usage_mb": 1}), "is not a profile"),
        ("\udcff".encode("utf-8", "surrogateescape"), "is not JSON"),
    ],
)
def test_files_that_are_not_profiles(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ProfileError, match=message):
        ProfileReport.read(path)
