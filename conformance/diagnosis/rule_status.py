"""The status of each rule of the format after a run, including rules that no check can test."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ..core.check import Outcome, Result
from ..core.rules import Rule, registry
from .causes import attributed

NAMES_THE_FIRST_ERROR = "LLQ-READ-1"
CHECKS_PARTS = "LLQ-READ-4"
CHECKS_THE_INDEX = "LLQ-READ-7"

WORKINGS = ("LLQ-PKG-16", "LLQ-META-8", "LLQ-READ-2", "LLQ-READ-3", "LLQ-READ-10")
"""Rules about how a reader works: tests/ holds the reference to them."""


class Status(StrEnum):
    """Status of a rule: the worst outcome of its checks. `PASSED` needs at least one pass."""

    FAILED = "failed"
    TIMED_OUT = "timed out"
    ERRORED = "errored"
    KNOWN_FAILURE = "known failure"
    UNCLEAR = "unclear"
    """Every check of the rule failed because of other rules."""
    PASSED = "passed"
    NOT_CLAIMED = "not claimed"
    NOT_ASKED = "not asked"
    """The suite has checks for the rule, but this run omitted them."""
    UNTESTABLE = "untestable"
    """No answer of a runtime can show whether it follows the rule."""

    @property
    def bad(self) -> bool:
        """Whether the runtime must change to follow the rule."""
        return self in (Status.FAILED, Status.TIMED_OUT, Status.ERRORED, Status.UNCLEAR)


@dataclass(frozen=True)
class RuleStatus:
    """One rule: its status, the outcomes of its checks, and the reason if nothing was checked."""

    rule: Rule
    status: Status
    outcomes: Mapping[Outcome, int]
    why: str = ""

    @property
    def asked(self) -> int:
        """Number of checks of the rule that were run."""
        return sum(count for outcome, count in self.outcomes.items() if outcome is not Outcome.NOT_CLAIMED)


def rule_statuses(results: Sequence[Result]) -> list[RuleStatus]:
    """Return the status of every rule of the registry, in its order."""
    about: dict[str, list[tuple[Result, bool]]] = {rule: [] for rule in registry()}
    for result in attributed(results):
        for rule, blamed in concerned(result):
            if rule in about:
                about[rule].append((result, blamed))
    return [_status(rule, about[rule.id]) for rule in registry().values()]


def concerned(result: Result) -> Iterator[tuple[str, bool]]:
    """Return the rules that a result tests, each with whether a bad outcome is blamed on it.

    An invalid package tests the rule of its first error; `refuse` and `withhold` test the rules for
    refusing, too. A check without an answer is blamed on all its rules. A wrong answer is blamed on the rules
    that the failure names.
    """
    about: tuple[str, ...]
    match result.check:
        case "refuse":
            about = (result.rules[0], NAMES_THE_FIRST_ERROR)
        case "withhold":
            about = (rule_of_withholding(result.rules),)
        case _:
            about = result.rules
    blamed = {*result.broken}
    if result.outcome in (Outcome.ERRORED, Outcome.TIMED_OUT):
        blamed = {*about}
    elif result.check == "refuse" and result.headline.startswith("refused"):
        blamed = {NAMES_THE_FIRST_ERROR, *blamed}
    for rule in dict.fromkeys((*about, *result.broken)):
        yield rule, result.outcome not in (Outcome.PASSED, Outcome.NOT_CLAIMED) and rule in blamed


def rule_of_withholding(rules: Sequence[str]) -> str:
    """Return the rule that check `withhold` tests with a vector of some rules."""
    return CHECKS_THE_INDEX if CHECKS_THE_INDEX in rules else CHECKS_PARTS


def _status(rule: Rule, about: Sequence[tuple[Result, bool]]) -> RuleStatus:
    outcomes = Counter(result.outcome for result, _ in about)
    if not about:
        if reason := untestable(rule):
            return RuleStatus(rule, Status.UNTESTABLE, {}, reason)
        return RuleStatus(rule, Status.NOT_ASKED, {}, "no vector of this run tests it")
    blamed = {result.outcome for result, blamed in about if blamed}
    for outcome in (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.ERRORED, Outcome.KNOWN_FAILURE):
        if outcome in blamed:
            return RuleStatus(rule, Status(outcome.value), outcomes)
    if outcomes[Outcome.PASSED]:
        return RuleStatus(rule, Status.PASSED, outcomes)
    if set(outcomes) == {Outcome.NOT_CLAIMED}:
        capabilities = {name for result, _ in about for name in result.headline.split(": ")[-1].split(", ")}
        return RuleStatus(
            rule, Status.NOT_CLAIMED, outcomes, f"not claimed: {', '.join(sorted(capabilities))}"
        )
    broken_rules = dict.fromkeys(name for result, _ in about for name in result.broken)
    return RuleStatus(
        rule, Status.UNCLEAR, outcomes, f"every check of this rule fails because of {', '.join(broken_rules)}"
    )


def untestable(rule: Rule) -> str:
    """Return why no answer of a runtime can test a rule, or an empty text if an answer can."""
    if rule.kind == "permission":
        return "a permission cannot be violated"
    if rule.kind == "procedure":
        return "a procedure, tested by the checks of the rules that use it"
    if rule.id in WORKINGS:
        return "it concerns the inner workings of a reader, which no single answer shows"
    if rule.stage == "behaviour" and {*rule.classes} <= {"writer", "executor"}:
        hint = " (test writers with --exporter)" if "writer" in rule.classes else ""
        classes = " and ".join(f"{name}s" for name in rule.classes)
        return f"it applies to {classes}; the suite tests readers and runtimes{hint}"
    return ""
