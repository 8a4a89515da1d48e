"""The end of a report: what a person reads in ten seconds, and the same for programs."""

import json
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from textwrap import shorten

from conformance import messages
from conformance.adapter import CAPABILITIES, Info
from conformance.check import Outcome, Result
from conformance.registry import area, registry

NAMED = 3
"""How many vectors a line names before it counts the rest."""

WIDTH = 110


@dataclass(frozen=True)
class Summary:
    """All results of a run, and whose they are."""

    spec: str
    info: Info
    capabilities: frozenset[str]
    results: Sequence[Result]

    def lines(self) -> Iterator[str]:
        """Return the text: the runtime, counts by area, what is broken, the verdict."""
        yield f"runtime      {self.info}   --runtime={self.spec}"
        yield from self._claims()
        yield ""
        yield from self._areas()
        yield ""
        yield from self._broken()
        yield self._verdict()

    def to_json(self) -> str:
        """Return the text of a results file."""
        value = {
            "suite": "LLQ 1.0",
            "runtime": {"spec": self.spec, **asdict(self.info), "capabilities": sorted(self.capabilities)},
            "totals": {outcome: sum(r.outcome is outcome for r in self.results) for outcome in Outcome},
            "results": [result.to_json() for result in self.results],
        }
        messages.conform(value, "results")
        return json.dumps(value, indent=1, ensure_ascii=False) + "\n"

    def _claims(self) -> Iterator[str]:
        checked = {capability for result in self.results for capability in result.capabilities}
        lists = {
            "claimed": self.capabilities & checked,
            "not claimed": checked - self.capabilities,
            "unchecked": self.capabilities - checked,
        }
        for title, capabilities in lists.items():
            if capabilities:
                yield f"{title:12} {', '.join(sorted(capabilities, key=CAPABILITIES.index))}"

    def _areas(self) -> Iterator[str]:
        """Count checks by the area of the vector's first rule, in order of the registry."""
        counts: dict[str, Counter[Outcome]] = {area(rule): Counter() for rule in registry()}
        for result in self.results:
            counts.setdefault(area(result.rules[0]), Counter())[result.outcome] += 1
        shown = {name: count for name, count in counts.items() if count}
        shown["all"] = sum(shown.values(), Counter())
        columns = [outcome for outcome in Outcome if outcome is Outcome.PASSED or shown["all"][outcome]]
        yield f"{'area':12}" + "".join(f"{outcome:>13}" for outcome in columns)
        for name, count in shown.items():
            yield f"{name:12}" + "".join(f"{count[outcome] or '-':>13}" for outcome in columns)

    def _broken(self) -> Iterator[str]:
        """Return one line for each rule broken, and for each way to give no answer."""
        groups: dict[str, list[Result]] = defaultdict(list)
        for result in self.results:
            if result.outcome is Outcome.FAILED:
                groups[result.broken[0]].append(result)
            elif result.outcome.bad:
                groups[f"{result.outcome}: {result.headline}"].append(result)
        if not groups:
            return
        order = {rule: position for position, rule in enumerate(registry())}
        for title in sorted(groups, key=lambda title: order.get(title, len(order))):
            yield from _group(title, groups[title])
        yield from self._common_misreading()
        first = next(iter(groups.values()))[0]
        yield f"replay one: pytest conformance --runtime={shlex.quote(self.spec)} -k {first.vector}"
        yield ""

    def _common_misreading(self) -> Iterator[str]:
        """Return the misreading, if there is one, that explains all of several wrong decodings."""
        wrong = [r for r in self.results if r.check == "decode" and r.outcome is Outcome.FAILED]
        common = set.intersection(*(set(result.misreadings) for result in wrong)) if len(wrong) > 1 else set()
        if len(common) == 1:
            yield f"One misreading explains all {len(wrong)} wrong decodings: *{common.pop()}*"

    def _verdict(self) -> str:
        counts = Counter(result.outcome for result in self.results)
        claims = ", ".join(c for c in CAPABILITIES if c in self.capabilities)
        bad = sum(counts[outcome] for outcome in Outcome if outcome.bad)
        asked = len(self.results) - counts[Outcome.NOT_CLAIMED]
        if bad:
            return f"DOES NOT CONFORM as {claims}: {bad} of {asked} checks not passed"
        return (
            f"conforms as {claims}: {asked} checks passed"
            if asked
            else "NOTHING CHECKED: nothing here is claimed"
        )


def _group(title: str, results: Sequence[Result]) -> Iterator[str]:
    """Return what went wrong under one title: the rule, how often, in which ways; then the vectors."""
    headlines = Counter(result.headline for result in results)
    (headline, _), *others = headlines.most_common()
    ways = f" and {len(others)} more ways" if others else ""
    what = "" if title.endswith(headline) else f": {headline}"
    vectors = list(dict.fromkeys(result.vector for result in results))
    more = f" and {len(vectors) - NAMED} more" if len(vectors) > NAMED else ""
    yield shorten(f"{title:12} {len(results)} ×{what}{ways}", WIDTH)
    yield f"{'':12} {', '.join(vectors[:NAMED])}{more}"
