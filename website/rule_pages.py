"""A page for each rule, and the list of all rules."""

import re
from collections.abc import Iterator
from pathlib import Path

from conformance.mutation.kill_matrix import saved
from conformance.mutation.mutants import MUTANTS
from conformance.reporting.html.markup import element
from llq_format.cli.chapters import Statement, statements
from llq_format.metadata.finding_codes import codes_of
from llq_format.metadata.rules import Rule, registry
from website import markdown, vectors
from website.places import SPECIFICATION, page_of_rule

NAMED_QUESTIONS = 5
"""Number of questions that a mutant's entry names before it counts the rest."""

CLASSES_OF_STAGE = {
    "decode": "No package can violate this rule by its bytes alone: vectors show what the bytes mean.",
    "compute": "The conformance suite compares what a runtime computes.",
    "behaviour": "Tests observe what readers and writers do.",
    "interface": "The conformance suite calls the JavaScript interface.",
}


def write(folder: Path) -> None:
    """Write the Markdown of all rule pages."""
    rules = list(registry().values())
    markdown.write(folder, "rules/index", _list(rules))
    for position, rule in enumerate(rules):
        after = rules[position + 1] if position + 1 < len(rules) else None
        before = rules[position - 1] if position else None
        markdown.write(folder, page_of_rule(rule.id), "\n".join(_page(rule, before, after)))


def _list(rules: list[Rule]) -> str:
    lines = ["# All rules", "", "The rules in the order of checking, by stage.", ""]
    for stage in dict.fromkeys(rule.stage for rule in rules):
        lines += ["", f"## {stage}", "", "| rule | kind | sentence |", "|---|---|---|"]
        lines += [
            f"| [{rule.id}]({rule.id}.md) | {rule.kind} | {_cell(rule.sentence)} |"
            for rule in rules
            if rule.stage == stage
        ]
    return "\n".join(lines) + "\n"


def _page(rule: Rule, before: Rule | None, after: Rule | None) -> Iterator[str]:
    statement = statements()[rule.id]
    yield "---\norphan: true\n---\n"
    yield f"# {rule.id}\n"
    yield f"> {rule.sentence}\n"
    yield from _facts(rule, statement)
    yield from _notes(statement)
    yield from _findings(rule)
    yield from _vectors(rule)
    yield from _mutants(rule)
    links = [f"[{other.id}]({other.id}.md)" for other in (before, after) if other]
    yield f"\nNext to it in the order of checking: {' and '.join(links)}. [All rules](index.md).\n"


def _facts(rule: Rule, statement: Statement) -> Iterator[str]:
    chapter = statement.file.removesuffix(".md").replace("README", "overview")
    place = f"{statement.chapter}, section {statement.section}" if statement.section else statement.chapter
    link = element("a", place, href=f"../{SPECIFICATION}/{chapter}.html#{rule.id}")
    whole = element("a", "on one page", href=f"../{SPECIFICATION}/index.html#{rule.id}")
    yield "| property | value |\n|---|---|"
    yield f"| kind | {rule.kind} |"
    yield f"| stage | {rule.stage} |"
    yield f"| severity | {rule.severity} |"
    yield f"| applies to | {', '.join(f'{name}s' if name != 'API' else 'APIs' for name in rule.classes)} |"
    yield f"| stated in | {link}; {whole} |"
    yield f"| remedy | {_cell(rule.remedy)} |\n"


def _notes(statement: Statement) -> Iterator[str]:
    """Yield what follows the rule in its chapter."""
    if statement.text:
        yield "## In the chapter\n"
        source = f"spec/{statement.file}"
        for paragraph in statement.text:
            yield markdown.adapted(paragraph, source, page_of_rule("x")) + "\n"


def _findings(rule: Rule) -> Iterator[str]:
    yield "## Where it is checked\n"
    codes = codes_of(rule.id)
    if not codes:
        yield (
            CLASSES_OF_STAGE.get(rule.stage, f"Stage *{rule.stage}*; no finding has a code for this rule.")
            + "\n"
        )
        return
    yield f"Validators check this rule in stage *{rule.stage}*. `llq validate` reports these findings:\n"
    yield "| code | found | expected |\n|---|---|---|"
    for code in codes:
        yield f"| `{code.name}` | {_code(code.found.plain)} | {_code(code.expected.plain)} |"
    yield ""


def _vectors(rule: Rule) -> Iterator[str]:
    yield "## Vectors\n"
    entries = vectors.by_rule().get(rule.id, [])
    if not entries:
        yield "No vector names this rule.\n"
    for entry in entries:
        first = entry["rules"][0]
        name = f'<span id="vector-{entry["id"]}">**{entry["id"]}**</span>'
        yield f"* {name} ({entry['kind']}): {_text(entry['description'])}\n"
        if first == rule.id:
            details = vectors.details(entry)
            yield _indented(markdown.html_block(details)) if details else ""
        else:
            link = element("a", first, href=f"{first}.html#vector-{entry['id']}")
            yield f"  Shown with {link}.\n"


def _mutants(rule: Rule) -> Iterator[str]:
    yield "## Mutants that break it\n"
    mutants = [mutant for mutant in MUTANTS.values() if mutant.rule == rule.id]
    if not mutants:
        yield "No mutant of the suite breaks this rule.\n"
        return
    kills = saved().kills
    yield "| mutant | what is wrong | killed by |\n|---|---|---|"
    for mutant in mutants:
        questions = sorted(kills.get(mutant.name, ()))
        named = ", ".join(f"`{question}`" for question in questions[:NAMED_QUESTIONS])
        rest = len(questions) - NAMED_QUESTIONS
        more = f" and {rest} more" if rest > 0 else ""
        yield f"| `{mutant.name}` | {_cell(mutant.title)} | {named}{more} |"
    yield "\n[The kill matrix](../measurements/kill-matrix.md) has all mutants.\n"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else "" for line in text.split("\n"))


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _code(text: str) -> str:
    """Return text as code in a cell of a table."""
    return f"`{_cell(text)}`"


def _text(description: str) -> str:
    """Return a plain description as Markdown that shows it as it is."""
    return re.sub(r"([\\`*_\[\]<>&|$^~#{}])", r"\\\1", " ".join(description.split()))
