"""The reports of this repository's runtimes, their comparison, and the report of mutation operators."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from conformance.reporting.html.markup import element
from website import markdown
from website.places import ROOT, SPECIFICATION

_REPORTS = ROOT / "reports"
RUNTIMES = ("reference", "webgpu", "node", "deno", "browser-chromium", "browser-firefox")
"""The runtimes that `make runtimes` asks, by the names of their reports; the page has others too."""

_OPERATORS = Path("mutants", "index.html")

_CHAPTER = re.compile(r'href="(?:\.\./)+spec/(\w+)\.md(#[^"]*)?"')


def write(pages: Path, files: Path, reports: Path = _REPORTS) -> None:
    """Write the Markdown of the list of reports, and copy the reports that exist."""
    markdown.write(pages, "measurements/runtimes", "\n".join(_page(reports)))
    for name in _present(reports):
        _copy(reports / name / "index.html", files / "reports" / name / "index.html", "../..")
    _copy(reports / "runtimes.html", files / "reports" / "runtimes.html", "..")
    markdown.write(pages, "measurements/mutation-operators", "\n".join(_operators(reports)))
    _copy(reports / _OPERATORS, files / "reports" / _OPERATORS, "../..")


def _present(reports: Path) -> list[str]:
    """Return the names of the reports that exist, in order of names."""
    return sorted(path.parent.name for path in reports.glob("*/report.json") if path.parent.name != "mutants")


def _copy(source: Path, target: Path, root: str) -> None:
    """Copy a page of reports if it exists, with its links to chapters as links to the site's chapters."""
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text(encoding="utf-8")
        target.write_text(_CHAPTER.sub(rf'href="{root}/{SPECIFICATION}/\1.html\2"', text), encoding="utf-8")


def _page(reports: Path) -> Iterator[str]:
    yield "# Runtimes of this repository\n"
    present = _present(reports)
    if not present:
        yield "**This build of the site has no reports.**"
        yield "`make runtimes` runs the conformance suite in each runtime and writes the reports."
        yield "It takes about an hour; then `make site` includes the reports and their comparison.\n"
        yield f"The runtimes are {', '.join(f'`{name}`' for name in RUNTIMES)}.\n"
        return
    yield "Each report is one run of the conformance suite."
    yield "`make runtimes` runs it in every runtime of this repository.\n"
    yield "| runtime | device | result | checks | version | date | report |\n|---|---|---|---|---|---|---|"
    for name in dict.fromkeys((*RUNTIMES, *present)):
        yield (
            _row(name, reports / name)
            if name in present
            else f"| {name} | | no report in this build | | | | |"
        )
    yield ""
    if (reports / "runtimes.html").is_file():
        link = element("a", "The comparison", href="../reports/runtimes.html")
        yield f"{link} shows all runtimes side by side, rule by rule.\n"
    else:
        yield "This build has no comparison of the runtimes: `llq compare` writes it.\n"


def _operators(reports: Path) -> Iterator[str]:
    """Yield the lines of the page about mutation operators."""
    yield "# Mutation operators\n"
    yield "`make mutants` applies operators to the reference, such as a limit at 16 or a missing step."
    yield "Its report counts the mutants that the vectors kill, and lists the survivors with their reasons.\n"
    if (reports / _OPERATORS).is_file():
        link = element("a", "The latest report", href="../reports/mutants/index.html")
        yield f"{link} has all survivors.\n"
    else:
        yield "This build of the site has no report of a run.\n"


def _row(name: str, report: Path) -> str:
    """Return the row of a runtime with a report."""
    value = json.loads((report / "report.json").read_text(encoding="utf-8"))
    passed, asked = value["totals"]["passed"], _asked(value["totals"])
    link = element("a", "report", href=f"../reports/{name}/index.html")
    cells = (
        name,
        element("span", value["runtime"].get("device", "")).replace("|", "&#124;"),
        _verdict(value["verdict"]),
        f"{passed} of {asked} passed",
        value["runtime"]["version"],
        element("time", value["date"].partition("T")[0]),
        link,
    )
    return f"| {' | '.join(cells)} |"


def _asked(totals: Mapping[str, int]) -> int:
    return sum(count for outcome, count in totals.items() if outcome != "not claimed")


def _verdict(verdict: Mapping[str, Any]) -> str:
    """Return a verdict in words; only a complete run can show conformance."""
    status = str(verdict["status"])
    return f"{status}, in a partial run" if verdict["omitted"] and status != "partial" else status
