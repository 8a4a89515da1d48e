"""The page of the runtimes: reports are copied with their links, and missing ones are called missing."""

import json
from pathlib import Path
from typing import Any

from website import reports


def write_report(folder: Path, status: str, omitted: int = 0, **outcomes: int) -> None:
    """Write a report with these numbers of outcomes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text('<a href="../../spec/packing.md#elements">a rule</a>')
    report: dict[str, Any] = {
        "date": "2026-11-30T22:39:13Z",
        "runtime": {"version": "0.1.0", "device": "card | driver"},
        "verdict": {"status": status, "text": "", "omitted": omitted},
        "totals": {name.replace("_", " "): count for name, count in outcomes.items()},
    }
    (folder / "report.json").write_text(json.dumps(report))


def page(folder: Path) -> str:
    """Return the page of the runtimes for a folder of reports."""
    reports.write(folder / "pages", folder / "files", folder / "reports")
    return (folder / "pages" / "measurements" / "runtimes.md").read_text()


def test_a_report_is_shown_and_the_others_are_absent(tmp_path: Path) -> None:
    write_report(tmp_path / "reports" / "node", "does not conform", passed=2, failed=1, not_claimed=4)
    text = page(tmp_path)
    link = '<a href="../reports/node/index.html">report</a>'
    device = "<span>card &#124; driver</span>"
    assert (
        f"| node | {device} | does not conform | 2 of 3 passed | 0.1.0 | <time>2026-11-30</time> | {link} |"
        in text
    )
    assert text.count("no report in this build") == len(reports.RUNTIMES) - 1
    assert "This build has no comparison" in text
    copy = (tmp_path / "files" / "reports" / "node" / "index.html").read_text()
    assert copy == '<a href="../../1.0/packing.html#elements">a rule</a>'


def test_a_partial_run_is_called_partial_and_the_comparison_is_linked(tmp_path: Path) -> None:
    write_report(tmp_path / "reports" / "reference", "partial", 7, passed=3, failed=0)
    write_report(tmp_path / "reports" / "node", "does not conform", 7, passed=2, failed=1)
    (tmp_path / "reports" / "runtimes.html").write_text("the comparison")
    text = page(tmp_path)
    assert "| partial | 3 of 3 passed |" in text
    assert "| does not conform, in a partial run | 2 of 3 passed |" in text
    assert '<a href="../reports/runtimes.html">The comparison</a>' in text
    assert (tmp_path / "files" / "reports" / "runtimes.html").read_text() == "the comparison"


def test_a_site_without_reports_says_how_to_write_them(tmp_path: Path) -> None:
    text = page(tmp_path)
    assert "This build of the site has no reports." in text
    assert "make runtimes" in text
    assert "|" not in text


def test_reports_of_other_names_are_shown(tmp_path: Path) -> None:
    write_report(tmp_path / "reports" / "card-webgpu", "conforms", passed=2)
    assert '<a href="../reports/card-webgpu/index.html">report</a>' in page(tmp_path)
    assert (tmp_path / "files" / "reports" / "card-webgpu" / "index.html").is_file()
