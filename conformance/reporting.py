"""Between pytest and the results: from the tests to the summary, also across pytest-xdist's processes."""

from pathlib import Path
from typing import Any

import pytest

from .adapter import Runtime
from .check import Outcome, Result
from .checks import CHECKS
from .checks.smoke import SIMPLEST
from .summary import Summary

PROPERTY = "llq"
CHECK_NAMES = [check.name for check in CHECKS]
MARKS = {
    Outcome.PASSED: ("passed", "."),
    Outcome.FAILED: ("failed", "F"),
    Outcome.NOT_CLAIMED: ("not claimed", "n"),
    Outcome.ERRORED: ("failed", "E"),
    Outcome.TIMED_OUT: ("failed", "T"),
    Outcome.KNOWN_FAILURE: ("known failure", "k"),
}
"""Category and letter of each outcome in pytest's own progress and count."""


def attach(item: pytest.Item, result: Result) -> None:
    """Hang a result on a test, so that it travels with the test's report."""
    item.user_properties.append((PROPERTY, result.to_json()))


def attached(report: pytest.TestReport) -> Result | None:
    """Return the result that hangs on a report of the call of a test."""
    values: list[Any] = [value for name, value in report.user_properties if name == PROPERTY]
    return Result.from_json(values[0]) if values and report.when == "call" else None


def _order(result: Result) -> tuple[int, bool, str]:
    """Sort results alike however many processes they come from, the simplest vector before others."""
    return CHECK_NAMES.index(result.check), result.vector != SIMPLEST, result.vector


class Reporter:
    """The pytest plugin that gathers results and, in the end, writes the summary and the results file."""

    runtime: Runtime | None = None
    """Who is tested; nobody, if the smoke test failed."""

    def __init__(self, spec: str, results_file: Path | None) -> None:
        """Begin without results."""
        self.spec = spec
        self.results_file = results_file
        self.results: list[Result] = []
        self._first: dict[tuple[str, ...], str] = {}
        self._alike: set[str] = set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Gather the result; of those that fail alike only the first is explained, in pytest's FAILURES."""
        result = attached(report)
        if result is None:
            return
        self.results.append(result)
        if result.outcome.bad:
            first = self._first.setdefault((*result.broken, result.headline), report.nodeid)
            if first != report.nodeid:
                self._alike.add(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Give each outcome its own letter and word."""
        result = attached(report)
        if result is None:
            return None
        category, letter = MARKS[result.outcome]
        alike = " alike" if report.nodeid in self._alike else ""
        return category + alike, letter, result.outcome.upper()

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Let no run succeed in which nothing was checked."""
        outcomes = {result.outcome for result in self.results}
        if outcomes == {Outcome.NOT_CLAIMED} and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the summary, last of all."""
        if self.runtime is None or not self.results:
            return
        results = sorted(self.results, key=_order)
        summary = Summary(self.spec, self.runtime.info, self.runtime.capabilities, results)
        terminalreporter.section("LLQ 1.0 conformance")
        for line in summary.lines():
            terminalreporter.write_line(line)
        if self.results_file:
            self.results_file.write_text(summary.to_json(), encoding="utf-8")
