"""The end of a report: what a person reads in ten seconds, and the same for programs."""

import json
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from . import messages
from .adapter import CAPABILITIES, Info
from .check import Outcome, Result
from .diagnosis import causes
from .registry import area, registry

NAMED = 3
"""How many vectors a line names before it counts the rest."""

CAUSES = 12
"""How many causes are told before the rest is only listed."""

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
        if self.info.kv_cache:
            yield f"{'KV cache':12} {self.info.kv_cache}, as declared"

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
        """Return what is broken, what that suggests, and how to see one case again."""
        found = causes(self.results)
        if not found:
            return
        for cause in found[:CAUSES]:
            yield _cut(f"{cause.title:14} {cause.count:4} × {cause.saying}")
            more = f" and {len(cause.vectors) - NAMED} more" if len(cause.vectors) > NAMED else ""
            yield f"{'':21} {', '.join(cause.vectors[:NAMED])}{more}"
        if found[CAUSES:]:
            more = ", ".join(dict.fromkeys(cause.title for cause in found[CAUSES:]))
            yield _cut(f"and {len(found) - CAUSES} more: {more}")
        yield f"Replay one: pytest conformance --runtime={shlex.quote(self.spec)} -k {found[0].vectors[0]}"
        yield ""

    def _verdict(self) -> str:
        """Return the last line."""
        counts = Counter(result.outcome for result in self.results)
        claims = ", ".join(name for name in CAPABILITIES if name in self.capabilities)
        bad = sum(counts[outcome] for outcome in Outcome if outcome.bad)
        asked = len(self.results) - counts[Outcome.NOT_CLAIMED]
        if bad:
            return f"DOES NOT CONFORM as {claims}: {bad} of {asked} checks not passed"
        if not asked:
            return "NOTHING CHECKED: the runtime claims none of what was asked"
        return f"conforms as {claims}: {asked} checks passed"


def _cut(line: str) -> str:
    """Return a line that fits."""
    return line if len(line) <= WIDTH else line[: WIDTH - 2] + " …"
