"""The page of one report, by area, rule and vector, failures in full; it can be read without its script."""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from ...core.check import Outcome, Result
from ...core.rules import RULES, address
from ...diagnosis.causes import attributed, causes
from ...diagnosis.rule_status import Status, concerned
from ..report import Report, target
from ..rerun import command
from ..verdict import VerdictStatus
from .explanation_markup import emphasized, explained, quoted
from .markup import Html, element, text
from .page import PAGES, page
from .rule_controls import FILES, badge, controls

TONES = {
    VerdictStatus.CONFORMS: Status.PASSED,
    VerdictStatus.PARTIAL: Status.UNCLEAR,
    VerdictStatus.FAILS: Status.FAILED,
    VerdictStatus.KNOWN_FAILURES: Status.KNOWN_FAILURE,
    VerdictStatus.NOTHING_CHECKED: Status.NOT_CLAIMED,
    VerdictStatus.FRESH: Status.NOT_ASKED,
}
"""The status of a rule whose colours a verdict has."""

NAMED = 3
"""Maximum number of vectors that a cause names; the others are counted."""

SHOWN = 12
"""Number of hexadecimal digits of a digest that the page shows; report.json has all digits."""


def report_page(report: Report, directory: Path) -> str:
    """Return the page of a report, its links to the specification relative to the page's directory."""
    return _Page(report, directory).html()


def spec_link(rule: str, stated: str, directory: Path) -> str | None:
    """Return the address of a rule on the site, or else the way from a directory to its chapter, if any."""
    if site := address(rule):
        return site
    if not stated:
        return None
    return f"{Path(os.path.relpath(RULES.parent.resolve(), directory.resolve())).as_posix()}/{stated}"


class _Page:
    def __init__(self, report: Report, directory: Path) -> None:
        self.report = report
        self.directory = directory
        self.results = [Result.from_json(value) for value in report["results"]]
        self.about: dict[str, list[tuple[Result, bool]]] = defaultdict(list)
        for result in attributed(self.results):
            for rule, blamed in concerned(result):
                self.about[rule].append((result, blamed))
        self.anchors: dict[tuple[str, str], str] = {}
        """The anchors of failures that are described in full, by check and vector."""

    def html(self) -> str:
        runtime = self.report["runtime"]
        title = " ".join(filter(None, (runtime["name"], runtime["version"])))
        rules = self.report["rules"]
        areas = [(name, list(members)) for name, members in groupby(_by_area(rules), lambda r: r["area"])]
        sections = [self._area(name, members) for name, members in areas]
        body = text(
            element("a", "Skip to the rules", class_="skip", href="#rules"),
            element("header", element("p", "LLQ 1.0 conformance", class_="kicker"), element("h1", title)),
            element("main", self._verdict(), self._facts(), self._causes(), self._filters(areas), *sections),
        )
        return page(f"{title}: LLQ conformance", body, *FILES, PAGES / "report.css", PAGES / "report.js")

    def _verdict(self) -> Html:
        verdict = self.report["verdict"]
        claims = ", ".join(self.report["runtime"]["capabilities"]) or "nothing"
        num_passed = sum(rule["status"] == Status.PASSED for rule in self.report["rules"])
        sentence = verdict["text"][0].upper() + verdict["text"][1:] + "."
        return element(
            "section",
            element("p", sentence, class_="said"),
            element("p", f"{num_passed} of {len(self.report['rules'])} rules passed. Claimed: {claims}."),
            class_="verdict",
            data_status=TONES[VerdictStatus(verdict["status"])],
        )

    def _facts(self) -> Html:
        report = self.report
        runtime, host, options = report["runtime"], report["host"], report["options"]
        run_target = target(report)
        facts = [
            (
                run_target.option,
                text(_code(f"--{run_target.option}={run_target.spec}"), f" {runtime['language']}"),
            ),
            *(("adapter", text(file["file"], " ", _digest(file["sha256"]))) for file in runtime["adapter"]),
            *([("KV cache", text(f"{runtime['kv_cache']}, as declared"))] if runtime["kv_cache"] else []),
            *([("device", text(device))] if (device := runtime.get("device")) else []),
            *([("extensions", text(", ".join(names)))] if (names := runtime.get("extensions")) else []),
            ("suite", text(f"{report['suite']['version']} ", _digest(report["suite"]["sha256"]))),
            ("vectors", text(f"{report['vectors']['count']} ", _digest(report["vectors"]["sha256"]))),
            ("made", text(f"{report['date']}, in {report['seconds']:.1f} s")),
            (
                "host",
                text(f"{host['platform']}, {host['python']}, numpy {host['numpy']}, {host['cpus']} CPUs"),
            ),
            ("options", text(", ".join(f"{k} {v}" for k, v in options.items() if v))),
        ]
        rows = [element("div", element("dt", name), element("dd", value)) for name, value in facts]
        return element("details", element("summary", "About this run"), element("dl", *rows), class_="facts")

    def _causes(self) -> Html:
        all_causes = causes(self.results)
        if not all_causes:
            return Html("")
        rule_ids = {rule["id"] for rule in self.report["rules"]}
        items = []
        for cause in all_causes:
            title = (
                element("a", cause.title, href=f"#{cause.title}") if cause.title in rule_ids else cause.title
            )
            remaining = len(cause.vectors) - NAMED
            vectors = ", ".join(cause.vectors[:NAMED]) + (f" and {remaining} more" if remaining > 0 else "")
            items.append(
                element(
                    "li",
                    element("strong", title),
                    f" {cause.count} × ",
                    emphasized(cause.description),
                    " ",
                    element("span", vectors, class_="vectors"),
                )
            )
        return element(
            "section", element("h2", "Causes"), element("ol", *items), class_="causes", id="broken"
        )

    def _filters(self, areas: Sequence[tuple[str, Sequence[Mapping[str, str]]]]) -> Html:
        rules = self.report["rules"]
        counts = {status: sum(rule["status"] == status for rule in rules) for status in Status}
        return element(
            "section",
            element("h2", "Rules", id="rules", tabindex="-1"),
            controls(counts),
            element(
                "nav",
                *(element("a", name, href=f"#area-{name}") for name, _ in areas),
                aria_label="Areas",
            ),
            class_="filters",
        )

    def _area(self, name: str, rules: Sequence[Mapping[str, str]]) -> Html:
        num_passed = sum(rule["status"] == Status.PASSED for rule in rules)
        title = text(name, " ", element("small", f"{num_passed} of {len(rules)} rules passed"))
        return element(
            "section",
            element("h3", title, id=f"area-{name}"),
            *(self._rule(rule) for rule in rules),
            class_="area",
        )

    def _rule(self, rule: Mapping[str, str]) -> Html:
        name = rule["id"]
        about = self.about[name]
        asked_pairs = [pair for pair in about if pair[0].outcome is not Outcome.NOT_CLAIMED]
        passes = [result for result, _ in asked_pairs if result.outcome is Outcome.PASSED]
        failures = [result for result, blamed in asked_pairs if blamed]
        unrelated_failures = [
            result for result, blamed in asked_pairs if not blamed and result.outcome is not Outcome.PASSED
        ]
        silent = [result for result, _ in about if result.outcome is Outcome.NOT_CLAIMED]
        link = spec_link(name, rule["stated"], self.directory)
        count = f"{len(passes)}/{len(asked_pairs)}" if asked_pairs else ""
        tooltip = f"{len(passes)} of {len(asked_pairs)} checks passed" if asked_pairs else None
        summary = element(
            "summary",
            badge(rule["status"]),
            " ",
            element("span", name, class_="id"),
            " ",
            element("span", quoted(rule["sentence"]), class_="sentence"),
            " ",
            element("span", count, class_="count", title=tooltip),
        )
        inner = [
            element("p", element("b", "Remedy "), quoted(rule["remedy"])),
            element(
                "p",
                element("a", "This rule in the specification", href=link) if link else "",
                " ",
                element("a", "Link to this rule", href=f"#{name}"),
                class_="links",
            ),
            *([element("p", rule["why"][0].upper() + rule["why"][1:] + ".")] if rule["why"] else []),
            *self._failures(name, failures),
            *self._list("Failed because of another rule", unrelated_failures, name),
            *self._list("Passed", passes, name),
            *self._list("Not claimed", silent, name),
        ]
        bad = bool(failures)
        return element(
            "details",
            summary,
            element("div", *inner),
            class_="rule",
            id=name,
            data_status=rule["status"],
            open=bad,
        )

    def _failures(self, rule: str, failures: Sequence[Result]) -> Iterator[Html]:
        """Yield each kind of failure; identical failures are folded."""
        kinds: dict[tuple[str, str, str], list[Result]] = defaultdict(list)
        for result in failures:
            kinds[result.outcome, result.check, result.headline].append(result)
        for kind in kinds.values():
            first_failure, *similar_failures = kind
            yield self._failure(rule, first_failure)
            if similar_failures:
                yield element(
                    "details",
                    element("summary", f"{len(similar_failures)} more identical failures"),
                    *(self._failure(rule, result) for result in similar_failures),
                    class_="alike",
                )

    def _failure(self, rule: str, result: Result) -> Html:
        key = (result.check, result.vector)
        title = text(badge(result.outcome), f" {result.check} ", element("b", result.vector))
        if key in self.anchors:
            link = element("a", "described in full above", href=f"#{self.anchors[key]}")
            return element("p", title, f" {result.headline}: ", link, class_="failure")
        self.anchors[key] = f"{rule}.{result.check}.{result.vector}"
        rerun_command = command(result.vector, target(self.report), self.report["options"]["vectors"])
        label = f"Copy the command that reruns {result.vector}"
        copy = element("button", "Copy", type="button", class_="copy", hidden=True, aria_label=label)
        return element(
            "div",
            element("p", title, " ", emphasized(result.headline)),
            explained(result.explanation, self.about),
            element("p", _code(rerun_command), " ", copy, class_="rerun"),
            class_="failure",
            id=self.anchors[key],
        )

    def _list(self, title: str, results: Sequence[Result], rule: str) -> Iterator[Html]:
        """Yield a folded list of checks with their vectors."""
        if not results:
            return
        items = []
        for result in results:
            blamed = [name for name in result.broken if name != rule]
            blame = text(" breaks ", element("a", blamed[0], href=f"#{blamed[0]}")) if blamed else ""
            described = self.report["descriptions"].get(result.vector, "")
            items.append(
                element("li", f"{result.check} ", element("b", result.vector), blame, f" {described}")
            )
        heading = element("summary", f"{title}: {len(results)}")
        yield element("details", heading, element("ul", *items), class_="list")


def _by_area(rules: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Return the rules grouped by area, areas and rules in the order of checking."""
    areas = list(dict.fromkeys(rule["area"] for rule in rules))
    return sorted(rules, key=lambda rule: areas.index(rule["area"]))


def _code(value: str) -> Html:
    return element("code", value)


def _digest(sha256: str) -> Html:
    return element("code", sha256[:SHOWN], title=f"SHA-256 {sha256}")
