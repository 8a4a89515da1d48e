"""`llq explain`: the text of a rule."""

import re
from difflib import get_close_matches
from typing import Annotated, Any

import typer
from rich.console import Console

from llq_format.cli.chapters import Statement, statements
from llq_format.cli.options import Json
from llq_format.cli.terminal import print_fields, print_heading, print_json, print_line, printable, stdout
from llq_format.metadata.finding_codes import FindingCode, codes_of
from llq_format.metadata.rules import Rule, registry
from llq_format.metadata.site import rule_address
from llq_format.metadata.specification import specification_path

_LIST_ITEM = re.compile(r"(\*|\d+\.) ")
_MARK = re.compile(r"^\*\*(Note|Example|Rationale):\*\*")


def explain(
    rule: Annotated[
        str | None,
        typer.Argument(
            metavar="RULE",
            help="Rule id, such as LLQ-PART-4 or part-4, or an area, such as DEQ; all rules if omitted.",
            show_default=False,
        ),
    ] = None,
    *,
    url: Annotated[bool, typer.Option("--url", help="Print the address of the rule alone.")] = False,
    json: Json = False,
) -> None:
    """Print a rule, its notes, its remedy and its finding codes.

    Without RULE, the command lists all rules in the order in which they are checked. With an area, it lists
    the rules of the area.

    Example: llq explain part-4

    Example: llq explain DEQ

    Example: llq explain | grep -i scale

    Example: llq explain part-4 --url
    """
    rules = _in_area(rule) or [_find(rule or "")]
    listed = len(rules) > 1 or not rule or _key(rule) != rules[0].id
    if url and json:
        addresses = [_address(entry) for entry in rules]
        print_json(addresses if listed else addresses[0])
    elif url:
        for entry in rules:
            stdout().print(_address(entry), soft_wrap=True, highlight=False)
    elif json:
        entries = [_as_json(entry, statements().get(entry.id)) for entry in rules]
        print_json(entries if listed else entries[0])
    elif listed:
        _print_all(stdout(), rules)
    else:
        _print_rule(stdout(), rules[0], statements().get(rules[0].id))


def _print_findings(console: Console, codes: tuple[FindingCode, ...]) -> None:
    if codes:
        console.print()
        print_line(console, "finding codes", lead="  ")
        print_fields(
            console,
            [(code.name, f"found {code.found.plain}, expected {code.expected.plain}") for code in codes],
            indent=4,
        )


def _address(rule: Rule) -> str:
    """Return the address of the page of a rule, or of the file of its chapter if the site has no address."""
    chapter = specification_path(statements()[rule.id].file)
    return rule_address(rule.id) or chapter.as_uri()


def _key(text: str) -> str:
    """Return an id as in the specification, from an id that may be abbreviated."""
    key = text.strip("[]*").upper().replace(" ", "-").replace("_", "-")
    return key if key.startswith("LLQ-") else f"LLQ-{key}"


def _in_area(text: str | None) -> list[Rule]:
    """Return the rules of an area, or all rules; none if the text is not an area."""
    prefix = "LLQ-" if text is None else f"{_key(text).rstrip('-*')}-"
    return [rule for rule in registry().values() if rule.id.startswith(prefix)]


def _find(text: str) -> Rule:
    """Return the rule with an id, written as in the specification or abbreviated."""
    key = _key(text)
    if key not in registry():
        near = get_close_matches(key, registry(), n=4, cutoff=0.7)
        areas = dict.fromkeys(name.split("-")[1] for name in registry())
        hint = (
            f"did you mean {' or '.join(near)}?"
            if near
            else f"`llq explain` lists all rules; the areas are {', '.join(areas)}"
        )
        raise typer.BadParameter(f"rule {printable(text)} not found: {hint}", param_hint="RULE")
    return registry()[key]


def _as_json(rule: Rule, statement: Statement | None) -> dict[str, Any]:
    value: dict[str, Any] = {
        "id": rule.id,
        "kind": rule.kind,
        "stage": rule.stage,
        "severity": rule.severity,
        "classes": list(rule.classes),
        "sentence": rule.sentence,
        "remedy": rule.remedy,
        "findings": [
            {
                "code": code.name,
                "found": code.found.plain,
                "expected": code.expected.plain,
                "values": sorted(code.names),
            }
            for code in codes_of(rule.id)
        ],
    }
    if statement is not None:
        value["stated"] = {
            "chapter": statement.chapter,
            "section": statement.section,
            "file": statement.file,
            "line": statement.line,
            "text": list(statement.text),
        }
    return value


def _print_all(console: Console, rules: list[Rule]) -> None:
    stages = list(dict.fromkeys(rule.stage for rule in rules))
    for number, stage in enumerate(stages, 1):
        print_heading(console, f"{number}. {stage}")
        print_fields(console, [(rule.id, rule.sentence) for rule in rules if rule.stage == stage])


def _print_rule(console: Console, rule: Rule, statement: Statement | None) -> None:
    print_line(console, rule.id, "bold")
    print_line(console, rule.sentence, lead="  ")
    console.print()
    fields = [
        ("kind", rule.kind),
        ("remedy", rule.remedy),
        ("severity", rule.severity),
        ("stage", rule.stage),
        ("applies to", ", ".join(f"{name}s" for name in rule.classes)),
    ]
    if statement is not None:
        section = f", section {statement.section}" if statement.section else ""
        place = f"chapter {statement.chapter}{section} (spec/{statement.file}, line {statement.line})"
        fields.append(("stated in", place))
    print_fields(console, fields)
    _print_findings(console, codes_of(rule.id))
    for block in () if statement is None else statement.text:
        console.print()
        _print_block(console, block)


def _print_block(console: Console, block: str) -> None:
    """Print a block of a chapter: tables and code line by line, list items and notes as paragraphs."""
    lines = block.splitlines()
    if block.startswith(("|", "```")):
        for line in lines:
            console.print("  " + printable(line), soft_wrap=True)
    elif _LIST_ITEM.match(block):
        for line in lines:
            print_line(console, line, lead="  ")
    else:
        text = " ".join(line.removeprefix("> ") for line in lines)
        print_line(console, _MARK.sub(r"\1:", text), lead="  ")
