"""The statement of each rule in the chapters of the specification, with the text that follows it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from llq_format.metadata.specification import specification_path

_RULE = re.compile(r"\*\*\[(LLQ-[A-Z]+-\d+)\]\*\*")


@dataclass(frozen=True, slots=True)
class Statement:
    """The place of a rule and the paragraphs between it and the next rule or heading."""

    file: str
    line: int
    chapter: str
    section: str
    text: tuple[str, ...]


@cache
def statements() -> Mapping[str, Statement]:
    """Return the statement of every rule, by rule id."""
    folder = specification_path("README.md").parent
    return {rule: statement for path in sorted(folder.glob("*.md")) for rule, statement in _statements(path)}


def _statements(path: Path) -> Iterator[tuple[str, Statement]]:
    blocks = list(_blocks(path.read_text(encoding="utf-8")))
    chapter = section = ""
    for index, (line, block) in enumerate(blocks):
        if block.startswith("# "):
            chapter = block[2:]
        elif block.startswith("#"):
            section = block.lstrip("# ")
        rule = _RULE.match(block)
        if rule:
            text: list[str] = []
            for _, block_text in blocks[index + 1 :]:
                if block_text.startswith("#") or _RULE.match(block_text):
                    break
                text.append(block_text)
            yield rule[1], Statement(path.name, line, chapter, section, tuple(text))


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of headings, paragraphs, tables and fenced blocks; the first line is 1."""
    start, lines, fenced = 0, list[str](), False
    for number, line in enumerate([*text.splitlines(), ""], 1):
        fenced ^= line.startswith("```")
        if line.strip() or fenced:
            start = start if lines else number
            lines.append(line)
        elif lines:
            yield start, "\n".join(lines)
            lines = []
