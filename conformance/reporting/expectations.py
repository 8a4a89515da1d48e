"""The pytest plugin of known failures: stale entries fail the run, and a list can be written from a run."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from ..core.check import Outcome, Result
from .known_failures import KnownFailures, KnownFailuresError, write
from .pytest_reporter import attached, keep

KNOWN = pytest.StashKey[KnownFailures]()
"""The known failures of a run, in every process of it."""

NAMED = 12
"""Maximum number of known failures that are listed; the others are counted."""


class Expectations:
    """Collects the results of a run, and at the end compares them with the known failures."""

    def __init__(self, known_failures: KnownFailures, write_to: Path | None) -> None:
        """Begin without results."""
        self.known_failures = known_failures
        self.write_to = write_to
        self._results: dict[tuple[str, str], Result] = {}

    @property
    def results(self) -> list[Result]:
        """The results, one for each check of a vector."""
        return list(self._results.values())

    @property
    def stale(self) -> Sequence[str]:
        """The entries to delete, in order."""
        return sorted(self.known_failures.stale(self.results))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Gather the result."""
        result = attached(report)
        if result is not None:
            keep(self._results, result)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a run with stale entries; write the list of what fails."""
        if self.stale and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if self.write_to and self.results:
            write(self.known_failures.renewed(self.results), self.write_to)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        """Print known failures and stale entries after the summary by rule."""
        if not self.results:
            return
        entries = self.known_failures.entries
        failures = sorted(
            f"{result.check} {result.vector} ({entries[result.check, result.vector].rule})"
            for result in self.results
            if result.outcome is Outcome.KNOWN_FAILURE
        )
        lines = [*failures[:NAMED], *([f"and {len(failures) - NAMED} more"] if failures[NAMED:] else [])]
        for title, section_lines in (("known failures", lines), ("STALE known failures", self.stale)):
            if section_lines:
                terminalreporter.section(title)
                for line in section_lines:
                    terminalreporter.write_line(line)
        if self.write_to:
            terminalreporter.write_line(f"known failures written to {self.write_to}")


def known_failures(file: Path | None) -> KnownFailures:
    """Return the known failures in a file, or none."""
    try:
        return KnownFailures.load(file) if file else KnownFailures()
    except KnownFailuresError as error:
        raise pytest.UsageError(str(error)) from error
