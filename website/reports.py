"""The reports of this repository's runtimes, which `make runtimes` writes, and their comparison."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from conformance.reporting.html.markup import element
from website import markdown
from website.places import ROOT, SPECIFICATION

_REPORTS = ROOT / "reports"
RUNTIMES = ("reference", "webgpu", "node", "deno", "browser-chromium", "browser-firefox")
"""The runtimes that `make runtimes` asks, by the names of their reports."""

_CHAPTER = re.compile(r'href="(?:\.\./)+spec/(\w+)\.md(#[^"]*)?"')


def write(pages: Path, files: Path, reports: Path = _REPORTS) -> None:
    """Write the Markdown of the list of reports, and copy the reports that exist."""
    markdown.write(pages, "measurements/runtimes", "\n".join(_page(reports)))
    for name in RUNTIMES:
        _copy(reports / name / "index.html", files / "reports" / name / "index.html", "../..")
    _copy(reports / "runtimes.html", files / "reports" / "runtimes.html", "..")


def _copy(source: Path, target: Path, root: str) -> None:
    """Copy a page of reports if it exists, with its links to chapters as links to the site's chapters."""
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text(encoding="utf-8")
        target.write_text(_CHAPTER.sub(rf'href="{root}/{SPECIFICATION}/\1.html\2"', text), encoding="utf-8")


def _page(reports: Path) -> Iterator[str]:
    yield "# Runtimes of this repository\n"
    yield "`make runtimes` runs the conformance suite in each runtime and writes the reports.\n"
    yield "| runtime | report | checks |\n|---|---|---|"
    for name in RUNTIMES:
        link = _link(reports / name / "index.html", f"../reports/{name}/index.html")
        yield f"| {name} | {link} | {_checks(reports / name)} |"
    yield ""
    comparison = _link(reports / "runtimes.html", "../reports/runtimes.html")
    yield f"The comparison of all runtimes, rule by rule: {comparison}.\n"


def _link(file: Path, address: str) -> str:
    return (
        element("a", "report" if "index" in address else "comparison", href=address)
        if file.is_file()
        else "absent"
    )


def _checks(report: Path) -> str:
    """Return how many checks passed, of those that were asked."""
    file = report / "report.json"
    if not file.is_file():
        return "absent: this build of the site found no report"
    outcomes = [result["outcome"] for result in json.loads(file.read_text(encoding="utf-8"))["results"]]
    asked = [outcome for outcome in outcomes if outcome != "not claimed"]
    return f"{asked.count('passed')} of {len(asked)} passed"
