"""Causes of failures: identical failures are grouped and reported once."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ..core.check import Outcome, Result
from ..core.rules import registry
from ..mutation.kill_matrix import portable_headline, saved

VERDICTS = ("accept", "refuse", "withhold")
"""The checks of validators, whose failures are explained together."""


@dataclass(frozen=True)
class Cause:
    """A common cause of several results: a broken rule, or an outcome without an answer."""

    title: str
    description: str
    vectors: tuple[str, ...]
    count: int


@dataclass(frozen=True)
class CommonCause:
    """The misreading that explains all wrong decodings, or the mutant that explains all wrong verdicts."""

    name: str
    rule: str


def causes(results: Sequence[Result]) -> list[Cause]:
    """Return the causes of all bad results: common causes first, then in the order of the registry."""
    common = common_misreading(results)
    constant = dict(_constant_verdicts(results))
    verdict = None if constant else common_verdict(results)
    groups: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for result in results:
        if result.outcome is Outcome.FAILED and result.check in constant:
            groups["validation", constant[result.check]].append(result)
        elif result.outcome is Outcome.FAILED and result.check == "decode" and common:
            groups[common.rule, f"equals *{common.name}*, which explains all wrong decodings"].append(result)
        elif result.outcome is Outcome.FAILED and result.check in VERDICTS and verdict:
            groups[verdict.rule, f"equals *{verdict.name}*, which explains all wrong verdicts"].append(result)
        elif result.outcome is Outcome.FAILED:
            groups[result.broken[0], ""].append(result)
        elif result.outcome.bad:
            groups[result.outcome.value, result.headline].append(result)
    position = {rule: number for number, rule in enumerate(registry())}

    def order(key: tuple[str, str]) -> tuple[bool, int]:
        title, saying = key
        return not (saying and title in position), position.get(title, len(position))

    return [_cause(*key, groups[key]) for key in sorted(groups, key=order)]


def attributed(results: Sequence[Result]) -> list[Result]:
    """Return the results, with wrong decodings attributed to their common misreading, if there is only one.

    A small tensor may not distinguish misreadings, but all tensors together do.
    """
    common = common_misreading(results)
    if common is None:
        return list(results)
    return [
        replace(result, broken=(common.rule,))
        if result.check == "decode" and result.outcome is Outcome.FAILED
        else result
        for result in results
    ]


def _cause(title: str, saying: str, results: Sequence[Result]) -> Cause:
    """Return the cause of a group; without a description, the most frequent headline describes it."""
    if not saying:
        (saying, _), *further_headlines = Counter(result.headline for result in results).most_common()
        saying += ", and other failures" if further_headlines else ""
    return Cause(title, saying, tuple(dict.fromkeys(result.vector for result in results)), len(results))


def common_misreading(results: Sequence[Result]) -> CommonCause | None:
    """Return the misreading that explains every one of several wrong decodings, if only one does."""
    failures = [result for result in results if result.check == "decode" and result.outcome is Outcome.FAILED]
    names = (
        set.intersection(*(set(result.misreadings) for result in failures)) if len(failures) > 1 else set()
    )
    if len(names) != 1:
        return None
    name = names.pop()
    return CommonCause(name, failures[0].misreadings[name][0])


def common_verdict(results: Sequence[Result]) -> CommonCause | None:
    """Return the mutant of a validator that explains every wrong verdict, if only one does.

    A mutant explains them if it fails the same questions with the same headlines. Readers and validators
    may check different rules, so results of `withhold` only decide between several mutants.
    """
    questions = {_question(result) for result in results if result.check in VERDICTS and _has_answer(result)}
    headlines = {
        _question(result): portable_headline(result.headline)
        for result in results
        if result.check in VERDICTS and result.outcome is Outcome.FAILED
    }
    if not headlines:
        return None
    try:
        from ..mutation.mutants import MUTANTS  # noqa: PLC0415 - needs the library, and only now
    except ImportError:
        return None
    verdicts = {question for question in questions if not question.startswith("withhold")}
    about = verdicts if headlines.keys() & verdicts else questions
    patterns = saved().headlines
    fitting = [
        name for name in patterns if _restricted(patterns[name], about) == _restricted(headlines, about)
    ]
    exact = [name for name in fitting if _restricted(patterns[name], questions) == headlines]
    mutants = {MUTANTS[name].title: MUTANTS[name].rule for name in exact or fitting if name in MUTANTS}
    if len(mutants) != 1:
        return None
    return CommonCause(*mutants.popitem())


def _has_answer(result: Result) -> bool:
    return result.outcome in (Outcome.PASSED, Outcome.FAILED)


def _question(result: Result) -> str:
    return f"{result.check}-{result.vector}"


def _restricted(headlines: Mapping[str, str], about: Collection[str]) -> dict[str, str]:
    return {question: headline for question, headline in headlines.items() if question in about}


def _constant_verdicts(results: Sequence[Result]) -> Iterator[tuple[str, str]]:
    """Yield the checks on which a validator gave the same verdict for every package."""
    for check, verdict, kind in (("accept", "refused", "conforming"), ("refuse", "accepted", "invalid")):
        headlines = [result.headline for result in results if result.check == check]
        if len(headlines) > 1 and all(headline.startswith(verdict) for headline in headlines):
            yield check, f"{verdict} every {kind} package: does it validate at all?"
