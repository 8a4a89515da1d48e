"""The pytest plugin that collects results from all processes and writes summary and report."""

import time
from collections.abc import Generator, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ..checks import CHECKS
from ..checks.smoke import SIMPLEST
from ..core.check import Check, Outcome, Result
from ..core.printable import printable
from ..core.target import Target
from ..core.vectors import Vector
from ..exporters.checks import EXPORT_CHECKS
from .html.report_page import report_page
from .report import PAGE, Run, report, write
from .summary import Summary
from .verdict import Omission, verdict

RESULT = pytest.StashKey[Result]()
ATTRIBUTE = "llq_result"
"""The attribute of a test's report that holds the result; pytest-xdist transfers attributes."""

CHECK_NAMES = [check.name for check in (*CHECKS, *EXPORT_CHECKS)]
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
    """Attach a result to a test, and add properties to JUnit's XML."""
    item.stash[RESULT] = result
    properties = {
        "check": result.check,
        "vector": result.vector,
        "capabilities": ", ".join(result.capabilities),
        "rules": ", ".join(result.rules),
        "outcome": result.outcome.value,
        "broken": ", ".join(result.broken),
        "misreadings": "; ".join(result.misreadings),
    }
    item.user_properties += [(name, value) for name, value in properties.items() if value]


def attached(report: pytest.TestReport) -> Result | None:
    """Return the result that is attached to the report of a test's call."""
    value = getattr(report, ATTRIBUTE, None)
    return None if value is None else Result.from_json(value)


def keep(results: MutableMapping[tuple[str, str], Result], result: Result) -> None:
    """Add a result. Of a question that is asked again, as pytest-rerunfailures does, a bad result stays."""
    earlier = results.get((result.check, result.vector))
    if earlier is None or not earlier.outcome.bad:
        results[result.check, result.vector] = result


def _order(result: Result) -> tuple[int, bool, str]:
    """Return the sort key of a result: the order does not depend on the number of processes."""
    return CHECK_NAMES.index(result.check), result.vector != SIMPLEST, result.vector


class Reporter:
    """The pytest plugin that gathers results and, in the end, writes the summary and the report."""

    runtime: Any = None
    """The runtime or session; None if the smoke test failed, and in the processes of pytest-xdist."""

    vectors: Sequence[Vector] = ()

    cases: Sequence[tuple[Check, Vector]] = ()
    """All checks of a complete run."""

    def __init__(
        self, target: Target, directory: Path | None, options: Mapping[str, Any], fresh: str = ""
    ) -> None:
        """Start without results; the report is written to a directory, if given, and lists the options.

        fresh: what is asked about in the place of the vectors, if anything.
        """
        self.fresh = fresh
        self.target = target
        self.directory = directory
        self.options = options
        self._start = time.perf_counter()
        self._complaint = ""
        self._results: dict[tuple[str, str], Result] = {}
        self._reasons: tuple[str, ...] = ()
        self._first_nodes: dict[tuple[str, ...], str] = {}
        self._repeats: set[str] = set()

    @property
    def results(self) -> list[Result]:
        """The results, one for each check of a vector."""
        return list(self._results.values())

    @property
    def omission(self) -> Omission | None:
        """What a partial run omitted of the claimed capabilities; None for a complete run."""
        claimed = {
            (check.name, vector.id)
            for check, vector in self.cases
            if self.runtime.capabilities.issuperset(check.needs)
        }
        omitted = claimed - self._results.keys()
        return Omission(len(omitted), len(claimed), self._reasons) if omitted else None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Move the result from the test to the report of its call."""
        test_report = yield
        if call.when == "call" and RESULT in item.stash:
            setattr(test_report, ATTRIBUTE, item.stash[RESULT].to_json())
        return test_report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect the result; of identical failures, only the first is listed in pytest's FAILURES."""
        result = attached(report)
        if result is None:
            return
        keep(self._results, result)
        if result.outcome.bad:
            first_node = self._first_nodes.setdefault((*result.broken, result.headline), report.nodeid)
            if first_node != report.nodeid:
                self._repeats.add(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Give each outcome its own letter and word."""
        result = attached(report)
        if result is None:
            return None
        category, letter = MARKS[result.outcome]
        suffix = " identically" if report.nodeid in self._repeats else ""
        return category + suffix, letter, result.outcome.upper()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the report and the verdict in JUnit's XML; fail a run in which nothing was checked."""
        self._reasons = _reasons(session)
        outcomes = {result.outcome for result in self.results}
        if any(outcome.bad for outcome in outcomes) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED  # a failure that another plugin asked again
        if outcomes == {Outcome.NOT_CLAIMED} and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED
        if self.runtime is None or not self.results:
            return
        found = verdict(
            self.results, self.runtime.capabilities, self.target.option, self.fresh, self.omission
        )
        for plugin in session.config.pluginmanager.get_plugins():
            if hasattr(plugin, "add_global_property"):  # the writer of JUnit's XML
                plugin.add_global_property("llq_verdict", found.status.value)
                plugin.add_global_property("llq_verdict_text", found.text)
        if self.directory is None:
            return
        try:
            self._write(self.runtime, self.directory, session.config.option.vectors)
        except OSError as error:
            self._complaint = f"report not written: {error.filename}: {error.strerror}"
            session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def _write(self, runtime: Any, directory: Path, home: Path) -> None:
        seconds = time.perf_counter() - self._start
        results = sorted(self.results, key=_order)
        run = Run(
            self.target,
            runtime,
            home,
            self.vectors,
            self.options,
            results,
            seconds,
            self.fresh,
            self.omission,
        )
        contents = report(run)
        write(contents, directory, report_page(contents, directory))

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Write the summary, last of all."""
        if self.runtime is None or not self.results:
            return
        results = sorted(self.results, key=_order)
        info, capabilities = self.runtime.info, self.runtime.capabilities
        home = self.options["vectors"]
        summary = Summary(self.target, info, capabilities, results, home, self.fresh, self.omission)
        terminalreporter.section("LLQ 1.0 conformance")
        for line in summary.lines():
            terminalreporter.write_line(line)
        if self._complaint:
            terminalreporter.write_line(self._complaint, red=True)
        elif self.directory:
            terminalreporter.write_line(f"report: {self.directory / PAGE}")


def _reasons(session: pytest.Session) -> tuple[str, ...]:
    """Return the options and events that make a run partial, in words."""
    options = session.config.option
    reasons = []
    for option, name in (("quick", "--quick"), ("lf", "--last-failed"), ("stepwise", "--stepwise")):
        if getattr(options, option, False):
            reasons.append(name)
    reasons += [
        f"{name} {value}" for name, value in (("-k", options.keyword), ("-m", options.markexpr)) if value
    ]
    if getattr(options, "deselect", None):
        reasons.append("--deselect")
    if any("::" in str(argument) for argument in session.config.args):
        reasons.append("chosen tests")
    if session.exitstatus == pytest.ExitCode.INTERRUPTED:
        reasons.append("interrupted")
    elif getattr(options, "maxfail", 0) and session.testsfailed >= options.maxfail:
        reasons.append(f"stopped after {session.testsfailed} failures")
    return tuple(printable(reason) for reason in reasons)
