"""The English of messages, help texts and docstrings in Python files: idioms that are not used."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.repository import ROOT

ROOMS = ("conformance",)
"""The folders whose Python files are checked."""

IDIOMS = {
    "is told, tells": r"\b(is|are|be|was|were) told\b|\btells?\b|\btelling\b",
    "is no X": r"(?<!there )\b(is|are|be) no\b(?! (longer|more|less)\b)",
    "least, greatest": r"(?<!at )\bleast\b(?! significant)|\bgreatest\b",
    "stands, lies": r"\bstands?\b|\blies?\b|\blying\b",
    "behind, beside, beyond": r"\bbehind\b|\bbesides?\b|\bbeyond\b",
    "the affair of": r"\baffairs?\b",
    "anew, mend, fare, let pass": r"\banew\b|\bmend(s|ed)?\b|\bfare[sd]?\b|\blets? pass\b",
    "also within a clause": r"(?<=[a-z,] )also\b",
    "so after the verb": r"\b(is|are|can|may|must|does|do) so\b",
    "but for": r"\bbut for\b",
    "so many, as many, of which": r"\b(so|as) (many|much)\b|\bof which\b",
    "mistake": r"\bmistakes?\b",
    "likeliest": r"\blikeliest\b",
    "certificate": r"\bcertificates?\b",
}
"""Idioms that the texts avoid, each with the pattern that finds it outside code spans."""


class Text(NamedTuple):
    """A string constant of a file: its line and its value."""

    line: int
    value: str


def texts(file: Path) -> Iterator[Text]:
    """Yield the string constants of a file that contain a space: messages, help texts, docstrings."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield Text(node.lineno, node.value)


def idioms(text: str) -> list[str]:
    """Return the names of the idioms in a text, without its code spans."""
    prose = re.sub(r"`[^`]*`", "CODE", text)
    return [name for name, pattern in IDIOMS.items() if re.search(pattern, prose, re.IGNORECASE)]


@pytest.mark.parametrize("room", ROOMS)
def test_no_idiom_is_used_in_a_text(room: str) -> None:
    idiomatic = [
        (file.relative_to(ROOT).as_posix(), text.line, idioms(text.value), text.value)
        for file in sorted((ROOT / room).rglob("*.py"))
        for text in texts(file)
        if idioms(text.value)
    ]
    assert idiomatic == []


def test_idioms_are_detected() -> None:
    assert idioms("the rule is told once: mend it") == ["is told, tells", "anew, mend, fare, let pass"]
    assert idioms("`beyond` is a label") == []
