"""`llq compare`: runtimes side by side, in the terminal, as JSON and as a page."""

import json
from copy import deepcopy
from pathlib import Path

import pytest

from conformance.core.rules import registry
from conformance.reporting.comparison import Comparison, percent
from conformance.reporting.html.comparison_page import comparison_page
from conformance.reporting.report import Report, write
from examples.python.miniatures import AcceptsAll, NibblePairs, Right
from tests.support.command_line import llq, on_terminal
from tests.support.sample_reports import Hostile, report_of


@pytest.fixture(scope="module")
def directories(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("reports")
    for runtime in (Right, NibblePairs, AcceptsAll):
        write(report_of(runtime), folder / runtime.__name__, "page")
    return [folder / runtime.__name__ for runtime in (Right, NibblePairs, AcceptsAll)]


def cell(comparison: Comparison, rule: str, column: int) -> str:
    return str(next(row for row in comparison.rows if row.id == rule).cells[column])


def test_cells_show_level_and_counts() -> None:
    comparison = Comparison.of([report_of(Right), report_of(NibblePairs), report_of(AcceptsAll)])
    assert [cell(comparison, "LLQ-PACK-3", column) for column in range(3)] == ["✓ 1/1", "✗ 0/4", "✓ 2/2"]
    assert [cell(comparison, "LLQ-VER-1", column) for column in range(3)] == ["–", "–", "✗ 0/1"]
    assert [row.id for row in comparison.rows] == list(registry())
    differing = {row.id for row in comparison.rows if row.differs}
    assert "LLQ-PACK-3" in differing
    assert "LLQ-VER-1" not in differing  # one alone was asked
    assert dict(comparison.capabilities()) == {
        "decode": ["100 %", "0 %", "100 %"],
        "reject": ["–", "–", "66 %"],
    }
    assert not comparison.warnings


def test_only_all_is_a_hundred_percent() -> None:
    assert [percent(999, 1000), percent(1000, 1000), percent(0, 3), percent(0, 0)] == [
        "99 %",
        "100 %",
        "0 %",
        "–",
    ]


@pytest.mark.parametrize("member", ["vectors", "suite"])
def test_reports_of_other_vectors_or_another_suite_are_warned_of(member: str) -> None:
    report = deepcopy(report_of(NibblePairs))
    report[member]["sha256"] = "0" * 64
    (warning,) = Comparison.of([report_of(Right), report]).warnings
    assert f"different {member}" in warning
    assert "NibblePairs 0: 000000000000" in warning


def test_a_report_of_a_part_is_warned_of() -> None:
    part = deepcopy(report_of(Right))
    part["verdict"] = {"status": "partial", "text": "partial: 2 of 9 checks ran", "omitted": 7}
    assert Comparison.of([part]).warnings == ("Right 0 was tested only in part: partial: 2 of 9 checks ran",)


def test_rules_that_only_another_edition_has_are_rows_too() -> None:
    newer: Report = deepcopy(report_of(Right))
    newer["rules"].append({**newer["rules"][-1], "id": "LLQ-WRITE-99"})
    comparison = Comparison.of([report_of(NibblePairs), newer])
    assert comparison.rows[-1].id == "LLQ-WRITE-99"
    assert comparison.rows[-1].cells[0].status == "not asked"


def test_the_table_has_the_rules_that_distinguish_runtimes(directories: list[Path]) -> None:
    result = llq("compare", *directories)
    assert result.exit_code == 0
    assert result.stderr == ""
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines() if line.strip()}
    assert rows["decode"] == ["100", "%", "0", "%", "100", "%"]
    assert rows["LLQ-PACK-3"] == ["✓", "1/1", "✗", "0/4", "✓", "2/2"]
    assert "LLQ-JSON-1" not in rows
    assert "LLQ-JSON-1" in llq("compare", *directories, "--all").stdout
    status, _, plain = on_terminal("compare", *directories)
    assert status == 0
    assert max(map(len, plain.splitlines())) <= 80


def test_json_has_every_cell(directories: list[Path]) -> None:
    value = json.loads(llq("compare", *directories, "--json").stdout)
    assert [runtime["name"] for runtime in value["runtimes"]] == ["Right", "NibblePairs", "AcceptsAll"]
    assert value["runtimes"][2]["capabilities"]["reject"] == [4, 6]
    pack = next(rule for rule in value["rules"] if rule["id"] == "LLQ-PACK-3")
    assert pack["cells"][1] == {"status": "failed", "passed": 0, "asked": 4}
    assert pack["differs"]


def test_a_page_is_written_whole_or_not_at_all(directories: list[Path], tmp_path: Path) -> None:
    page = tmp_path / "comparison.html"
    result = llq("compare", *directories, "-o", page)
    assert (result.exit_code, result.stdout) == (0, "")
    text = page.read_text(encoding="utf-8")
    assert "://" not in text.replace("https://huggingface.co/", "")  # the text of LLQ-API-53
    assert text.count("<tr") == text.count("</tr>") > len(registry())
    assert [path.name for path in tmp_path.iterdir()] == ["comparison.html"]
    result = llq("compare", *directories, "-o", tmp_path / "nowhere" / "comparison.html")
    assert result.exit_code == 1
    assert "nowhere" in result.stderr


def test_names_of_runtimes_are_text_in_the_page(tmp_path: Path) -> None:
    hostile = deepcopy(report_of(Hostile))
    hostile["runtime"]["name"] = "<script>alert(1)</script>"
    page = comparison_page(Comparison.of([hostile, report_of(Right)]), tmp_path)
    assert page.count("<script") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_file_that_is_not_a_report_is_reported(directories: list[Path], tmp_path: Path) -> None:
    result = llq("compare", directories[0], tmp_path)
    assert result.exit_code == 1
    assert "pass a directory that --report wrote" in result.stderr
    assert llq("compare").exit_code == 2
