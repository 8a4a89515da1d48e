"""The chapters of `spec/` as blocks of Markdown: headings, rules, tables, lists, code and paragraphs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tests.support.repository import SPEC

BlockKind = Literal["heading", "rule", "table", "list", "code", "quote", "figure", "paragraph"]

TEXTS = {path.name: path.read_text(encoding="utf-8") for path in sorted(SPEC.glob("*.md"))}
"""Every page, by file name."""

CHAPTERS = {name: text for name, text in TEXTS.items() if name != "rules.md"}
"""Every page that people write: `rules.md` is generated."""

_RULE = re.compile(r"\*\*\[(LLQ-[A-Z]+-\d+)\]\*\* ")
_LIST_ITEM = re.compile(r"(\*|-|\d+\.) ")


@dataclass(frozen=True)
class Block:
    """A run of lines between empty lines; a fenced block of code is one run."""

    kind: BlockKind
    line: int
    """The number of the first line, from 1."""
    lines: tuple[str, ...]

    @property
    def rule(self) -> str:
        """The id of the rule that the block states, or an empty string."""
        match = _RULE.match(self.lines[0])
        return match[1] if match else ""

    @property
    def sentences(self) -> tuple[str, ...]:
        """The lines without the marks of Markdown at their beginning: the id of a rule, `> `, `* `, `#`."""
        lines = (re.sub(r"^> ?", "", line).strip() for line in self.lines)
        lines = (
            re.sub(r"^\*\*(\[LLQ-[A-Z]+-\d+\]|(Note|Example|Rationale):)\*\* ", "", line) for line in lines
        )
        return tuple(re.sub(r"^(#+|\*|-|\d+\.) ", "", line) for line in lines)


def blocks(text: str) -> list[Block]:
    """Return the blocks of a page, in order."""
    return list(_blocks(text))


def rules_of_chapter(text: str) -> dict[str, str]:
    """Return the sentences of each rule of a page, joined by spaces, by rule id."""
    return {block.rule: " ".join(block.sentences) for block in _blocks(text) if block.kind == "rule"}


def _blocks(text: str) -> Iterator[Block]:
    start, lines, fenced = 0, list[str](), False
    for number, line in enumerate([*text.splitlines(), ""], 1):
        fenced ^= line.startswith("```")
        if line.strip() or fenced:
            start = start if lines else number
            lines.append(line)
        elif lines:
            yield Block(_kind(lines[0]), start, tuple(lines))
            lines = []


def _kind(line: str) -> BlockKind:
    starts: tuple[tuple[str, BlockKind], ...] = (
        ("#", "heading"),
        ("|", "table"),
        ("```", "code"),
        (">", "quote"),
        ("![", "figure"),
    )
    if _RULE.match(line):
        return "rule"
    if _LIST_ITEM.match(line):
        return "list"
    return next((kind for start, kind in starts if line.startswith(start)), "paragraph")
