"""The explanation of a failure as markup: labelled lines become a list, rules become links."""

import re
from collections.abc import Collection, Iterator
from itertools import groupby

from .markup import Html, element, text

LABELLED = re.compile(r"  (?P<label>\S.{9}) (?P<text>.+)")
"""A line of an explanation: two spaces, a label padded to ten columns, a space, the text."""

RULE = re.compile(r"(LLQ-[A-Z]+-\d+)")
WORDS = {"vector", "breaks", "about", "remedy", "misreading", "rule", "reported", "wrong"}
"""Labels of lines that are prose; the others hold numbers and names."""


def explained(explanation: str, rules: Collection[str]) -> Html:
    """Return an explanation without its first line, which is the title; `rules` are those to link to."""
    lines = explanation.split("\n")[1:]
    blocks = groupby(lines, lambda line: LABELLED.fullmatch(line) is not None)
    return text(*(block for labelled, group in blocks for block in _block(list(group), labelled, rules)))


def emphasized(value: str) -> Html:
    """Return a text in which stars enclose the name of a misreading."""
    parts = value.split("*")
    if len(parts) % 2 == 0:  # a star that is none of a pair
        return text(value)
    return text(*(element("em", part) if number % 2 else part for number, part in enumerate(parts)))


def quoted(sentence: str) -> Html:
    """Return a sentence of the specification, in which backquotes enclose code."""
    parts = sentence.split("`")
    return text(*(element("code", part) if number % 2 else part for number, part in enumerate(parts)))


def _block(lines: list[str], labelled: bool, rules: Collection[str]) -> Iterator[Html]:  # noqa: FBT001  # of groupby
    if labelled:
        yield element("dl", *(_row(line, rules) for line in lines), class_="why")
    elif any(line.strip() for line in lines):
        yield element("pre", "\n".join(lines).strip("\n"), tabindex="0")


def _row(line: str, rules: Collection[str]) -> Html:
    label, value = line[2:12].strip(), line[13:]
    if label == "misreading":
        content = emphasized(value)
    else:
        content = text(*(_linked(part, rules) for part in RULE.split(value)))
    return element(
        "div", element("dt", label), element("dd", content, class_=None if label in WORDS else "exact")
    )


def _linked(part: str, rules: Collection[str]) -> Html:
    return element("a", part, href=f"#{part}") if part in rules else quoted(part)
