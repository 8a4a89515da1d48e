"""The page of the runtimes: reports that exist are copied with their links, the others are absent."""

import json
from pathlib import Path

from website import reports


def test_a_report_is_shown_and_the_others_are_absent(tmp_path: Path) -> None:
    folder = tmp_path / "reports" / "node"
    folder.mkdir(parents=True)
    (folder / "index.html").write_text('<a href="../../spec/packing.md#elements">a rule</a>')
    outcomes = ["passed", "passed", "failed", "not claimed"]
    results = [{"outcome": outcome} for outcome in outcomes]
    (folder / "report.json").write_text(json.dumps({"results": results}))
    reports.write(tmp_path / "pages", tmp_path / "files", tmp_path / "reports")
    page = (tmp_path / "pages" / "measurements" / "runtimes.md").read_text()
    assert '| node | <a href="../reports/node/index.html">report</a> | 2 of 3 passed |' in page
    assert page.count("absent: this build of the site found no report") == len(reports.RUNTIMES) - 1
    copy = (tmp_path / "files" / "reports" / "node" / "index.html").read_text()
    assert copy == '<a href="../../1.0/packing.html#elements">a rule</a>'
