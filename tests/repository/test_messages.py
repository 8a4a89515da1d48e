"""The English of messages, help texts, docstrings and comments in code: idioms that are not used."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeGuard

import pytest

from tests.support.repository import ROOT, VECTORS

ROOMS = ("benchmarks", "conformance", "examples", "llq_format", "vectors", "website")
"""The folders whose Python files are checked."""

JAVASCRIPT_ROOMS = ("web/src", "web/demo", "web/harness", "web/node", "web/test", "examples")
"""The folders whose JavaScript files are checked."""

GENERATED = {"specification.js", "self_test_data.js", "adjust_wgsl.js"}

IDIOMS = {
    "is told, tells": r"\b(is|are|be|was|were) told\b|\btells?\b|\btelling\b",
    "is no X": r"(?<!there )\b(is|are|be) no\b(?! (longer|more|less)\b)",
    "least, greatest": r"(?<!at )\bleast\b(?! significant| squares)|\bgreatest\b",
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


JAVASCRIPT_TEXT = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`""", re.DOTALL
)
"""A comment, a string or a template of JavaScript."""


def texts(file: Path) -> Iterator[Text]:
    """Yield the string constants of a Python file that contain a space: messages, help texts, docstrings."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    ids = {id(node.args[0]) for node in ast.walk(tree) if is_key(node) and node.args}
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in ids)
    for constant in constants:
        if isinstance(constant.value, str) and " " in constant.value:
            yield Text(constant.lineno, constant.value)


def is_key(node: ast.AST) -> TypeGuard[ast.Call]:
    """Return whether a node is `Key(words of an id, text)`: ids of vectors never change."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Key"


def javascript_texts(file: Path) -> Iterator[Text]:
    """Yield the comments, strings and templates of a JavaScript file; expressions in templates are code."""
    source = file.read_text(encoding="utf-8")
    for match in JAVASCRIPT_TEXT.finditer(source):
        value = re.sub(r"\$\{[^}]*\}", "CODE", match[0].strip("`"))
        if " " in value:
            yield Text(source.count("\n", 0, match.start()) + 1, value)


def idioms(text: str) -> list[str]:
    """Return the names of the idioms in a text, without its code spans."""
    prose = re.sub(r"`[^`]*`", "CODE", text)
    return [name for name, pattern in IDIOMS.items() if re.search(pattern, prose, re.IGNORECASE)]


def idiomatic(file: Path, found: Iterator[Text]) -> list[tuple[str, int, list[str], str]]:
    """Return the place, the idioms and the value of each text that uses an idiom."""
    name = file.relative_to(ROOT).as_posix()
    return [(name, text.line, idioms(text.value), text.value) for text in found if idioms(text.value)]


@pytest.mark.parametrize("room", ROOMS)
def test_no_idiom_is_used_in_a_text(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    assert [place for file in files for place in idiomatic(file, texts(file))] == []


@pytest.mark.parametrize("room", JAVASCRIPT_ROOMS)
def test_no_idiom_is_used_in_a_text_of_javascript(room: str) -> None:
    files = [
        file
        for suffix in ("js", "mjs")
        for file in sorted((ROOT / room).rglob(f"*.{suffix}"))
        if file.name not in GENERATED and "node_modules" not in file.parts
    ]
    assert files
    assert [place for file in files for place in idiomatic(file, javascript_texts(file))] == []


def test_no_idiom_is_used_in_a_description_of_a_vector() -> None:
    index = json.loads((VECTORS / "index.json").read_text(encoding="utf-8"))["vectors"]
    descriptions = {entry["id"]: entry["description"] for entry in index}
    assert {name: text for name, text in descriptions.items() if idioms(text)} == {}


def test_texts_of_javascript_are_found(tmp_path: Path) -> None:
    file = tmp_path / "a.js"
    file.write_text('// first comment\nf("second text", `third ${"of code"} text`); /* fourth\n one */\n')
    assert [text.line for text in javascript_texts(file)] == [1, 2, 2, 2]
    assert [text.value for text in javascript_texts(file)][2] == "third CODE text"


def test_idioms_are_detected() -> None:
    assert idioms("the rule is told once: mend it") == ["is told, tells", "anew, mend, fare, let pass"]
    assert idioms("`beyond` is a label") == []
