"""The verdict of a run, the same in the terminal, in report.json, on the page and in JUnit's XML."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ..core.check import Outcome, Result
from ..core.runtime import CAPABILITIES, CLAIMS_OF_EXPORTERS

ORDER = (*CLAIMS_OF_EXPORTERS, *CAPABILITIES)
"""The order of capabilities."""


class VerdictStatus(StrEnum):
    """What a run shows. Only `CONFORMS` shows conformance."""

    CONFORMS = "conforms"
    PARTIAL = "partial"
    """All checks that ran passed, but the run omitted checks of what is claimed."""
    FAILS = "does not conform"
    KNOWN_FAILURES = "known failures only"
    NOTHING_CHECKED = "nothing checked"
    FRESH = "fresh questions passed"


@dataclass(frozen=True)
class Omission:
    """The checks of claimed capabilities that a run omitted, out of all of them, and the reasons."""

    omitted: int
    total: int
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return for example `partial: 2 of 350 checks ran (-k control)`."""
        reasons = f" ({', '.join(self.reasons)})" if self.reasons else ""
        return f"partial: {self.total - self.omitted} of {self.total} checks ran{reasons}"


@dataclass(frozen=True)
class Verdict:
    """The status of a run and one sentence that states it."""

    status: VerdictStatus
    text: str


def verdict(
    results: Sequence[Result],
    capabilities: Collection[str],
    option: str = "runtime",
    fresh: str = "",
    omission: Omission | None = None,
) -> Verdict:
    """Return the verdict of results.

    option: the option that names the target. fresh: what is asked about in the place of the vectors, if
    anything. omission: what a partial run omitted; None for a complete run.
    """
    counts = Counter(result.outcome for result in results)
    claims = ", ".join(name for name in ORDER if name in capabilities)
    bad = sum(counts[outcome] for outcome in Outcome if outcome.bad)
    num_asked = len(results) - counts[Outcome.NOT_CLAIMED]
    suffix = "" if omission is None else f"; {omission}"
    if bad:
        text = f"DOES NOT CONFORM as {claims}: {bad} of {num_asked} checks not passed{suffix}"
        return Verdict(VerdictStatus.FAILS, text)
    if not num_asked:
        text = f"NOTHING CHECKED: the {option} claims no capability that the checks need"
        return Verdict(VerdictStatus.NOTHING_CHECKED, text)
    if fresh:
        text = f"{num_asked} checks of {fresh} passed; only the vectors show conformance{suffix}"
        return Verdict(VerdictStatus.FRESH, text)
    if num_known := counts[Outcome.KNOWN_FAILURE]:
        text = f"DOES NOT CONFORM as {claims}: {num_known} of {num_asked} checks fail, all known failures"
        return Verdict(VerdictStatus.KNOWN_FAILURES, text + suffix)
    if omission is not None:
        text = f"{omission} and passed; only a complete run shows conformance"
        return Verdict(VerdictStatus.PARTIAL, text)
    return Verdict(VerdictStatus.CONFORMS, f"conforms as {claims}: {num_asked} checks passed")
